//! Policies, their versions, the difference between two, and the editor.

use maud::{Markup, html};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{is_true, number, page, paging, policy_path, policy_type, row_button, text, tick};
use crate::{
    Frame, May, Typed,
    frame::{percent, time},
};

/// Longest documents that are compared, in lines of both; the work grows with their square. Longer ones are shown as taken
/// out and put in as a whole.
const LINES_MAX: usize = 3000;

/// Of which kind a list of policies is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    Custom,
    System,
}

impl PolicyKind {
    /// As the API calls it.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::Custom => "Custom",
            Self::System => "System",
        }
    }
}

/// A part of the list of policies.
pub struct PoliciesPage<'a> {
    pub kind: PolicyKind,
    pub policies: &'a [Value],
    /// Where the rest begins.
    pub next: Option<&'a str>,
    pub may: &'a May,
}

pub fn policies(frame: &Frame<'_>, parts: &PoliciesPage<'_>) -> String {
    let rows: Vec<Vec<Markup>> = parts
        .policies
        .iter()
        .map(|policy| {
            let (name, kind) = (text(policy, "PolicyName"), text(policy, "PolicyType"));
            vec![
                html! { a href=(policy_path(kind, name)) translate="no" { (name) } },
                html! { span translate="no" { (text(policy, "Description")) } },
                html! { span translate="no" { (text(policy, "DefaultVersion")) } },
                html! { span translate="no" { (number(policy, "AttachmentCount")) } },
                time(text(policy, "UpdateDate")),
            ]
        })
        .collect();
    let heads = ["policy-name", "policy-description", "policy-in-force", "policy-attachments", "policy-updated"];
    let create = html! { p { a.button href="/policies/new" { (frame.t("create-policy")) } } };
    let own = if parts.kind == PolicyKind::Custom { "/policies" } else { "/policies?kind=System" };
    let content = html! {
        p { (frame.t("policies-page-about")) }
        nav.tabs aria-label=(frame.t("policy-type")) {
            ul {
                @for (kind, path, label) in [
                    (PolicyKind::Custom, "/policies", "policies-custom"),
                    (PolicyKind::System, "/policies?kind=System", "policies-system"),
                ] {
                    li { a href=(path) aria-current=[(kind == parts.kind).then_some("true")] { (frame.t(label)) } }
                }
            }
        }
        (parts.may.offer(frame, "ram:CreatePolicy", "create-policy", create))
        @if rows.is_empty() { p { (frame.t("policies-page-none")) } }
        @else { (frame.table("policies", &heads, &rows)) }
        (paging(frame, own, parts.next))
    };
    page(frame, &frame.t("policies"), &content)
}

/// A policy, its versions, and who has it.
pub struct PolicyParts<'a> {
    pub policy: &'a Value,
    /// The document of the version in force.
    pub document: &'a str,
    /// The oldest first.
    pub versions: &'a [Value],
    pub users: &'a [Value],
    pub groups: &'a [Value],
    pub roles: &'a [Value],
    pub may: &'a May,
}

pub fn policy(frame: &Frame<'_>, parts: &PolicyParts<'_>) -> String {
    let (name, kind) = (text(parts.policy, "PolicyName"), text(parts.policy, "PolicyType"));
    let (path, is_custom, may) = (policy_path(kind, name), kind == "Custom", parts.may);
    let edit = html! { p { a.button href={ (path) "/edit" } { (frame.t("policy-edit")) } } };
    let delete = html! {
        details {
            summary { (frame.t("delete-policy")) }
            p.warning { (frame.t("delete-policy-about")) }
            (frame.form(&format!("{path}/delete"), "", &html! {
                (tick(frame, "CascadingDelete", "delete-policy-versions", false))
                button.danger type="submit" { (frame.t("delete-policy")) }
            }))
        }
    };
    let content = html! {
        dl {
            dt { (frame.t("policy-type")) } dd { (policy_type(frame, kind)) }
            dt { (frame.t("policy-description")) } dd translate="no" { (text(parts.policy, "Description")) }
            dt { (frame.t("policy-in-force")) } dd translate="no" { (text(parts.policy, "DefaultVersion")) }
            dt { (frame.t("policy-updated")) } dd { (time(text(parts.policy, "UpdateDate"))) }
        }
        h2 { (frame.t("policy-document")) }
        pre.copy translate="no" tabindex="0" { code { (laid_out(parts.document)) } }
        @if is_custom { (may.offer(frame, "ram:CreatePolicyVersion", "policy-edit", edit)) }
        (versions(frame, parts, &path))
        (entities(frame, parts))
        @if is_custom { (may.offer(frame, "ram:DeletePolicy", "delete-policy", delete)) }
    };
    page(frame, &frame.t_with("policy-title", &[("name", name)]), &content)
}

fn versions(frame: &Frame<'_>, parts: &PolicyParts<'_>, path: &str) -> Markup {
    let may = parts.may;
    let rows: Vec<Vec<Markup>> = parts
        .versions
        .iter()
        .rev()
        .map(|version| {
            let id = text(version, "VersionId");
            let fields = [("VersionId", id)];
            let is_default = is_true(version, "IsDefaultVersion");
            let set = row_button(frame, &format!("{path}/set-default"), &fields, ("version-set-default", id));
            let delete = row_button(frame, &format!("{path}/delete-version"), &fields, ("delete", id));
            vec![
                html! { span translate="no" { (id) } },
                time(text(version, "CreateDate")),
                html! { (frame.t(if is_default { "version-in-force" } else { "version-not-in-force" })) },
                html! {
                    @if !is_default {
                        div.actions {
                            (may.offer_in_row("ram:SetDefaultPolicyVersion", set))
                            (may.offer_in_row("ram:DeletePolicyVersion", delete))
                        }
                    }
                },
            ]
        })
        .collect();
    let ids: Vec<(&str, String)> = parts
        .versions
        .iter()
        .map(|version| (text(version, "VersionId"), text(version, "VersionId").to_owned()))
        .collect();
    let (first, last) = (ids.len().checked_sub(2).and_then(|at| ids.get(at)), ids.last());
    html! {
        @if !rows.is_empty() {
            h2 { (frame.t("policy-versions")) }
            (frame.table("policy-versions", &["version-id", "version-created", "policy-in-force", "session-action"], &rows))
            (may.offer(frame, "ram:SetDefaultPolicyVersion", "version-set-default", html! {}))
        }
        @if let (Some((first, _)), Some((last, _))) = (first, last) {
            form method="get" action={ (path) "/compare" } {
                div.pair {
                    (frame.select("from", "compare-from", &ids, first))
                    (frame.select("to", "compare-to", &ids, last))
                }
                button.quiet type="submit" { (frame.t("compare")) }
            }
        }
    }
}

fn entities(frame: &Frame<'_>, parts: &PolicyParts<'_>) -> Markup {
    let kinds = [
        ("users", "/people", "UserName", parts.users),
        ("groups", "/groups", "GroupName", parts.groups),
        ("roles", "/roles", "RoleName", parts.roles),
    ];
    let is_none = kinds.iter().all(|(.., entities)| entities.is_empty());
    html! {
        h2 { (frame.t("policy-entities")) }
        @if is_none { p { (frame.t("policy-entities-none")) } }
        @for (label, path, member, entities) in kinds {
            @if !entities.is_empty() {
                h3 { (frame.t(label)) }
                ul {
                    @for entity in entities {
                        @let name = text(entity, member);
                        li { a href={ (path) "/" (percent(name)) } translate="no" { (name) } }
                    }
                }
            }
        }
    }
}

/// A document with a line for each of its parts, so that two can be compared whatever their line ends; as it is if it is no
/// JSON.
fn laid_out(document: &str) -> String {
    let read: Result<Value, _> = serde_json::from_str(document);
    read.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| document.to_owned())
}

/// Two versions, side by side in one text.
pub struct Compared<'a> {
    pub kind: &'a str,
    pub name: &'a str,
    pub from: (&'a str, &'a str),
    pub to: (&'a str, &'a str),
}

pub fn compare(frame: &Frame<'_>, compared: &Compared<'_>) -> String {
    let ((from, old), (to, new)) = (compared.from, compared.to);
    let content = html! {
        p { a href=(policy_path(compared.kind, compared.name)) translate="no" { (compared.name) } }
        p { (frame.t_with("compare-about", &[("from", from), ("to", to)])) }
        (difference(frame, old, new))
    };
    page(frame, &frame.t("compare"), &content)
}

/// What was taken out and put in, a line each. The mark before each line says it too, not the colour alone.
fn difference(frame: &Frame<'_>, old: &str, new: &str) -> Markup {
    let (old, new) = (laid_out(old), laid_out(new));
    let whole = |tag, text: &'_ str| text.lines().map(|line| (tag, line.to_owned())).collect::<Vec<_>>();
    let lines = if old.lines().count() + new.lines().count() > LINES_MAX {
        [whole(ChangeTag::Delete, &old), whole(ChangeTag::Insert, &new)].concat()
    } else {
        let line = |text: &str| text.trim_end_matches('\n').to_owned();
        TextDiff::from_lines(&old, &new).iter_all_changes().map(|change| (change.tag(), line(change.value()))).collect()
    };
    html! {
        @if old == new { p { (frame.t("compare-same")) } }
        @else {
            pre.difference translate="no" tabindex="0" {
                @for (tag, line) in lines {
                    @match tag {
                        ChangeTag::Equal => { span { "  " (line) "\n" } }
                        ChangeTag::Delete => { del { "- " (line) "\n" } }
                        ChangeTag::Insert => { ins { "+ " (line) "\n" } }
                    }
                }
            }
        }
    }
}

/// What a check of a document has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Good,
    Wrong {
        /// Which statement, from 1; 0: the document as a whole.
        statement: u16,
        /// Which part of it.
        element: &'static str,
        /// In the words of the API.
        reason: &'static str,
        line: usize,
        column: usize,
    },
}

/// The id of the text of a reason.
fn reason_id(reason: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let words: String = reason.chars().map(plain).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    format!("mistake-{}", words.join("-"))
}

/// What a check has found, in one sentence.
pub fn finding_text(frame: &Frame<'_>, finding: &Finding) -> String {
    let Finding::Wrong { statement, element, reason, line, column } = *finding else { return frame.t("check-good") };
    let id = reason_id(reason);
    let reason = if frame.texts.has(&id) { frame.t(&id) } else { reason.to_owned() };
    let (line, column, number) = (line.to_string(), column.to_string(), statement.to_string());
    let mut values = vec![("line", line.as_str()), ("column", &column), ("element", element), ("reason", &reason)];
    if statement == 0 {
        return frame.t_with("check-wrong", &values);
    }
    values.push(("statement", &number));
    frame.t_with("check-wrong-statement", &values)
}

/// A document that is being written.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    pub text: &'a str,
    /// Of which form it is to be: `identity` or `trust`.
    pub form: &'static str,
    pub finding: Option<Finding>,
    /// Actions and resources that can be completed.
    pub words: &'a [String],
}

/// A field for a document. The script checks it while it is typed, and completes words; without, a button checks it.
pub(super) fn editor(frame: &Frame<'_>, label: &str, draft: &Draft<'_>) -> Markup {
    let is_wrong = matches!(draft.finding, Some(Finding::Wrong { .. }));
    html! {
        div.field.editor data-check="/policies/check" data-form=(draft.form) data-go=(frame.t("check-go")) {
            label for="PolicyDocument" { (frame.t(label)) }
            p.hint id="PolicyDocument-hint" { (frame.t("editor-about")) }
            textarea id="PolicyDocument" name="PolicyDocument" rows="16" required autocomplete="off" spellcheck="false"
                aria-describedby="PolicyDocument-hint finding" aria-invalid=[is_wrong.then_some("true")] {
                "\n" (draft.text)
            }
            p id="finding" role="status" class=[draft.finding.map(|_| if is_wrong { "bad" } else { "good" })] {
                @if let Some(finding) = &draft.finding { (finding_text(frame, finding)) }
            }
            ul.suggestions id="suggestions" aria-label=(frame.t("editor-suggestions")) hidden {}
            datalist id="policy-words" { @for word in draft.words { option value=(word) {} } }
        }
    }
}

/// The editor of a policy: a new one, or a new version of one that is there.
pub fn edit_policy(
    frame: &Frame<'_>,
    name: Option<&str>,
    in_force: Option<&str>,
    draft: &Draft<'_>,
    typed: &Typed,
) -> String {
    let path = match name {
        Some(name) => format!("{}/edit", policy_path("Custom", name)),
        None => "/policies/new".to_owned(),
    };
    let content = html! {
        @match name {
            Some(name) => {
                p { a href=(policy_path("Custom", name)) translate="no" { (name) } }
                p { (frame.t("policy-edit-about")) }
            }
            None => { p { (frame.t("create-policy-about")) } }
        }
        (frame.form(&path, "", &html! {
            @match name {
                Some(name) => { input type="hidden" name="instead_of" value=(name); }
                None => {
                    (frame.input("PolicyName", "policy-name", "policy-name-about", typed.get("PolicyName"), true))
                    (frame.input("Description", "policy-description", "", typed.get("Description"), false))
                }
            }
            (editor(frame, "policy-document", draft))
            @if name.is_some() {
                (tick(frame, "SetAsDefault", "version-default-now", typed.0.is_empty() || !typed.get("SetAsDefault").is_empty()))
                (tick(frame, "rotate", "version-rotate", !typed.get("rotate").is_empty()))
            }
            div.actions {
                button type="submit" { (frame.t(if name.is_some() { "version-save" } else { "create-policy" })) }
                button.quiet type="submit" name="act" value="check" { (frame.t("check")) }
                button.quiet type="submit" formaction="/replay" name="act" value="draft" formnovalidate {
                    (frame.t("replay-draft"))
                }
            }
        }))
        @if let Some(in_force) = in_force {
            h2 { (frame.t("compare-draft")) }
            (difference(frame, in_force, draft.text))
        }
    };
    let title = if name.is_some() { frame.t("policy-edit") } else { frame.t("create-policy") };
    page(frame, &title, &content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lang, Texts};

    #[test]
    fn a_difference_is_what_a_document_says_and_not_how_it_is_laid_out() {
        let frame =
            Frame { texts: Texts::of(Lang::English), visitor: None, path: "/", calls: &[], done: None, refusal: None };
        let old = r#"{"Statement":[{"Action":["kms:Encrypt"]}],"Version":"1"}"#;
        let again = "{ \"Version\": \"1\",\n \"Statement\": [{\"Action\": [ \"kms:Encrypt\" ]}] }";
        assert!(!difference(&frame, old, again).into_string().contains("<pre"));
        let new = old.replace("Encrypt", "<b>");
        let shown = difference(&frame, old, &new).into_string();
        assert!(shown.contains("<del>-         &quot;kms:Encrypt&quot;\n</del>"), "{shown}");
        assert!(shown.contains("<ins>+         &quot;kms:&lt;b&gt;&quot;\n</ins>"), "{shown}");
        assert!(difference(&frame, "no JSON", "{").into_string().contains("<del>- no JSON"));
        // Longer than anybody writes one: not compared, but all there.
        let (old, new) = ("a\n".repeat(LINES_MAX), "a\n".repeat(LINES_MAX - 1) + "b");
        let shown = difference(&frame, &old, &new).into_string();
        assert_eq!((shown.matches("<del>").count(), shown.matches("<ins>").count()), (LINES_MAX, LINES_MAX));
    }
}

//! Policies, and what is written of them.

use jomae_api::{
    actions,
    policy::{Form, Operator, parse, place_of},
};
use jomae_console::{
    Refusal, Typed,
    pages::{self, Compared, Draft, Finding, PoliciesPage, PolicyKind, PolicyParts},
    percent,
};
use serde_json::{Value, json};

use super::{ROWS_OF_PAGE, ticked};
use crate::console::{
    Visit,
    acts::{go, refused},
    ask::{Asker, given, rows},
    reply::Page,
    sessions::Session,
    views::Outcome,
};

/// The document that was typed. Browsers send each line end as two characters, which nobody has typed.
pub(super) fn document(typed: &Typed) -> String {
    typed.get("PolicyDocument").replace("\r\n", "\n")
}

/// JSON for people.
pub(super) fn laid_out(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// A document to be edited: as it was written, but for one that was written in a single line.
pub(super) fn readable(document: &str) -> String {
    match serde_json::from_str::<Value>(document) {
        Ok(value) if !document.contains('\n') => laid_out(&value),
        _ => document.to_owned(),
    }
}

/// What the reader of policies says of a document.
pub(super) fn finding(document: &str, form: &str) -> Finding {
    let form = if form == "trust" { Form::Trust } else { Form::Identity };
    match parse(document, form) {
        Ok(_) => Finding::Good,
        Err(wrong) => {
            let place = place_of(document, form, &wrong);
            Finding::Wrong {
                statement: wrong.statement,
                element: wrong.element,
                reason: wrong.reason,
                line: place.line,
                column: place.column,
            }
        }
    }
}

/// What can be completed in a trust policy.
pub(super) fn trust_words(session: &Session) -> Vec<String> {
    let account = &session.caller.account;
    let principals = ["root", "user/", "role/", "oidc-provider/"].map(|what| format!("acs:ram::{account}:{what}"));
    ["sts:AssumeRole", "sts:AssumeRoleWithOIDC"].map(str::to_owned).into_iter().chain(principals).collect()
}

impl Visit<'_> {
    /// The full names that policies and questions can begin with.
    pub(super) fn resources(&self, session: &Session) -> Vec<String> {
        let (account, region) = (&session.caller.account, &self.console.service.default_region);
        let kms = ["key/*", "alias/*", "*"].map(|what| format!("acs:kms:{region}:{account}:{what}"));
        let ram = ["user/*", "group/*", "role/*", "policy/*"].map(|what| format!("acs:ram:*:{account}:{what}"));
        kms.into_iter().chain(ram).collect()
    }

    /// What can be completed in a policy: every action that is asked about, resources, and operators of conditions.
    pub(super) fn words(&self, session: &Session) -> Vec<String> {
        let services = ["kms:*", "ram:*", "sts:*", "actiontrail:*"].into_iter();
        let actions = services.chain(actions::permissions().iter().copied());
        let operators = Operator::ALL.iter().map(|operator| operator.name);
        let words = actions.chain(operators).chain(["kms:EncryptionContext/"]).map(str::to_owned);
        words.chain(self.resources(session)).collect()
    }

    pub(super) async fn policies(&self, session: &Session, asker: &mut Asker<'_>) -> Page {
        let marker = self.query("marker");
        let kind = if self.query("kind") == "System" { PolicyKind::System } else { PolicyKind::Custom };
        let params = [("PolicyType", kind.wire()), ("MaxItems", ROWS_OF_PAGE), ("Marker", &marker)];
        let listed = asker.ask("ListPolicies", given(&params)).await;
        let (listed, refusal) = listed.map_or_else(|refused| (Value::Null, Some(refused)), |listed| (listed, None));
        let may = self.may(session, &[("ram:CreatePolicy", "policy/*")]);
        let policies = rows(&listed, "Policies", "Policy");
        let page =
            PoliciesPage { kind, policies: &policies, next: listed.get("Marker").and_then(Value::as_str), may: &may };
        self.shown(session, asker, refusal.as_ref(), |frame| pages::policies(frame, &page))
    }

    pub(super) async fn policy(
        &self,
        session: &Session,
        asker: &mut Asker<'_>,
        (kind, name): (&str, &str),
        refusal: Option<&Refusal>,
    ) -> Page {
        let of_policy = || given(&[("PolicyType", kind), ("PolicyName", name)]);
        let found = match asker.ask("GetPolicy", of_policy()).await {
            Ok(found) => found,
            Err(refusal) => return self.not_there(session, asker, &refusal),
        };
        let versions = asker.ask("ListPolicyVersions", of_policy()).await.unwrap_or_default();
        let entities = asker.ask("ListEntitiesForPolicy", of_policy()).await.unwrap_or_default();
        let what = format!("policy/{name}");
        let may = self.may(
            session,
            &[
                ("ram:CreatePolicyVersion", &what),
                ("ram:SetDefaultPolicyVersion", &what),
                ("ram:DeletePolicyVersion", &what),
                ("ram:DeletePolicy", &what),
            ],
        );
        let parts = PolicyParts {
            policy: found.get("Policy").unwrap_or(&Value::Null),
            document: default_document(&found),
            versions: &rows(&versions, "PolicyVersions", "PolicyVersion"),
            users: &rows(&entities, "Users", "User"),
            groups: &rows(&entities, "Groups", "Group"),
            roles: &rows(&entities, "Roles", "Role"),
            may: &may,
        };
        self.shown(session, asker, refusal, |frame| pages::policy(frame, &parts))
    }

    pub(super) async fn compare(&self, session: &Session, asker: &mut Asker<'_>, kind: &str, name: &str) -> Page {
        let (from, to) = (self.query("from"), self.query("to"));
        let mut documents = Vec::new();
        for version in [&from, &to] {
            let params = given(&[("PolicyType", kind), ("PolicyName", name), ("VersionId", version)]);
            match asker.ask("GetPolicyVersion", params).await {
                Ok(found) => {
                    let document = found.get("PolicyVersion").and_then(|found| found.get("PolicyDocument")?.as_str());
                    documents.push(document.unwrap_or_default().to_owned());
                }
                Err(refusal) => return self.not_there(session, asker, &refusal),
            }
        }
        let [old, new] = documents.as_slice() else { return self.message(404, "not-found-title", "not-found") };
        let compared = Compared { kind, name, from: (&from, old), to: (&to, new) };
        self.shown(session, asker, None, |frame| pages::compare(frame, &compared))
    }

    /// What a check says, for the script.
    pub(super) fn check_policy(&self, typed: &Typed) -> Page {
        let finding = finding(&document(typed), typed.get("form"));
        let text = pages::finding_text(&self.frame(None), &finding);
        let (line, column) = match finding {
            Finding::Good => (0, 0),
            Finding::Wrong { line, column, .. } => (line, column),
        };
        Page::json(&json!({ "good": finding == Finding::Good, "text": text, "line": line, "column": column }))
    }

    pub(super) fn new_policy(&self, session: &Session, asker: &Asker<'_>, outcome: &Outcome<'_>) -> Page {
        let typed = document(&outcome.typed);
        let resources = self.resources(session);
        let example = laid_out(&json!({ "Version": "1", "Statement": [{
            "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": resources.get(..1),
        }] }));
        let words = self.words(session);
        let draft = Draft {
            text: if typed.is_empty() { &example } else { &typed },
            form: "identity",
            finding: (!typed.is_empty()).then(|| finding(&typed, "identity")),
            words: &words,
        };
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| {
            pages::edit_policy(frame, None, None, &draft, &outcome.typed)
        })
    }

    pub(super) async fn edit_policy(
        &self,
        session: &Session,
        asker: &mut Asker<'_>,
        name: &str,
        outcome: &Outcome<'_>,
    ) -> Page {
        let found = match asker.ask("GetPolicy", given(&[("PolicyType", "Custom"), ("PolicyName", name)])).await {
            Ok(found) => found,
            Err(refusal) => return self.not_there(session, asker, &refusal),
        };
        let typed = document(&outcome.typed);
        let in_force = default_document(&found);
        let stored = readable(in_force);
        let words = self.words(session);
        let draft = Draft {
            text: if typed.is_empty() { &stored } else { &typed },
            form: "identity",
            finding: (!typed.is_empty()).then(|| finding(&typed, "identity")),
            words: &words,
        };
        let in_force = (!typed.is_empty()).then_some(in_force);
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| {
            pages::edit_policy(frame, Some(name), in_force, &draft, &outcome.typed)
        })
    }

    pub(super) async fn make_policy(&self, session: &Session, mut asker: Asker<'_>, typed: &Typed) -> Page {
        if typed.get("act") == "check" {
            return self.new_policy(session, &asker, &Outcome { typed: typed.clone(), ..Outcome::default() });
        }
        let name = typed.get("PolicyName").trim();
        let params = [
            ("PolicyName", name),
            ("PolicyDocument", &document(typed)),
            ("Description", typed.get("Description").trim()),
        ];
        match asker.ask("CreatePolicy", given(&params)).await {
            Ok(_) => go(&path(name), "policy-created"),
            Err(refusal) => self.new_policy(session, &asker, &refused(refusal, typed)),
        }
    }

    pub(super) async fn make_version(
        &self,
        session: &Session,
        mut asker: Asker<'_>,
        name: &str,
        typed: &Typed,
    ) -> Page {
        if typed.get("act") == "check" {
            let outcome = Outcome { typed: typed.clone(), ..Outcome::default() };
            return self.edit_policy(session, &mut asker, name, &outcome).await;
        }
        let rotate = if typed.get("rotate").is_empty() { "" } else { "DeleteOldestNonDefaultVersionWhenLimitExceeded" };
        let params = [
            ("PolicyName", name),
            ("PolicyDocument", &document(typed)),
            ("SetAsDefault", ticked(typed, "SetAsDefault")),
            ("RotateStrategy", rotate),
        ];
        match asker.ask("CreatePolicyVersion", given(&params)).await {
            Ok(_) => go(&path(name), "version-saved"),
            Err(refusal) => self.edit_policy(session, &mut asker, name, &refused(refusal, typed)).await,
        }
    }

    pub(super) async fn change_policy(
        &self,
        session: &Session,
        mut asker: Asker<'_>,
        (name, act): (&str, &str),
        typed: &Typed,
    ) -> Page {
        let policy = ("PolicyName", name);
        let version = ("VersionId", typed.get("VersionId"));
        let (action, params, done) = match act {
            "set-default" => ("SetDefaultPolicyVersion", vec![policy, version], "version-in-force"),
            "delete-version" => ("DeletePolicyVersion", vec![policy, version], "version-deleted"),
            "delete" => {
                let cascading = ("CascadingDelete", ticked(typed, "CascadingDelete"));
                ("DeletePolicy", vec![policy, cascading], "policy-deleted")
            }
            _ => return self.message(404, "not-found-title", "not-found"),
        };
        match asker.ask(action, given(&params)).await {
            Ok(_) if act == "delete" => go("/policies", done),
            Ok(_) => go(&path(name), done),
            Err(refusal) => self.policy(session, &mut asker, ("Custom", name), Some(&refusal)).await,
        }
    }
}

fn path(name: &str) -> String {
    format!("/policies/Custom/{}", percent(name))
}

/// The document of the version in force, in an answer of GetPolicy.
fn default_document(found: &Value) -> &str {
    let version = found.get("DefaultPolicyVersion");
    version.and_then(|version| version.get("PolicyDocument")?.as_str()).unwrap_or_default()
}

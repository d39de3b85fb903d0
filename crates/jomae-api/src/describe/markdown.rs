//! `docs/api.md`.

use std::fmt::Write as _;

use super::{ALL, Described, Need, is_of_every_call, keys, kind, rate_limit};
use crate::{
    action::{Api, Effect, Group, StateRule},
    answer::{Member, Shape},
    error::{Origin, Refusal, Source},
    limits,
    param::Use,
    spec::KeyKind,
};

/// The reference as text.
///
/// # Errors
///
/// The refusal of an example that is not well formed.
pub fn markdown() -> Result<String, Refusal> {
    let mut out = String::with_capacity(128 * 1024);
    let _ = write!(out, "{}", head());
    for group in Group::ALL {
        let _ = writeln!(out, "\n## {}", group.title());
        for described in ALL.iter().filter(|described| described.spec.group == *group) {
            action(&mut out, described)?;
        }
    }
    key_specs(&mut out);
    wrappings(&mut out);
    errors(&mut out);
    Ok(out)
}

fn head() -> String {
    let mut out = format!(
        "# API reference

Written from the declarations in `crates/jomae-api/src/actions`; do not edit. {count} actions of four APIs that answer at one
address: {apis}. A request names the version of its API. What differs from the public service, and
why, stands in [compatibility.md](compatibility.md); the same reference for machines in [openapi.json](openapi.json). On
the command line, `jomae call ACTION --help` shows the part of one action.

**(extension)** marks what the public service does not have.

- A call is a GET or POST on `/`, over HTTPS, with its parameters in the query, in a form body, or in both. What an
  action does not know is ignored; an empty value counts as absent.
- Every successful answer has `RequestId` beside the members listed here. Dates are `YYYY-MM-DDThh:mm:ssZ`, Base64 is
  the standard one with padding.
- Besides the errors listed for it, a call can end with one of the [errors of every call](#errors-of-every-call).
- \"Takes DryRun\" means that with `DryRun=true` nothing is done and the call always fails, with one of the errors of
  [DryRun](#errors-of-dryrun).
- The rate limit names the [setting](tasks/configuration.md#settings) under which the call counts.

",
        count = ALL.len(),
        apis = Api::ALL.map(|api| format!("{} {}", api.name(), api.version())).join(", "),
    );
    for group in Group::ALL {
        let actions =
            ALL.iter().filter(|described| described.spec.group == *group).map(|described| described.spec.name);
        let links: Vec<String> = actions.map(|name| format!("[{name}](#{})", name.to_lowercase())).collect();
        let _ = writeln!(out, "- **{}**: {}", group.title(), links.join(", "));
    }
    out.push_str(
        "- **Tables**: [key specs](#key-specs), [wrapping for import](#wrapping-for-import), [errors](#errors)\n",
    );
    out
}

fn action(out: &mut String, described: &Described) -> Result<(), Refusal> {
    let spec = described.spec;
    let _ = writeln!(out, "\n### {}\n\n{}\n", spec.name, text(spec.doc));
    let changes = match spec.effect {
        Effect::Read => "no",
        Effect::Write => "yes",
    };
    let needs: Vec<String> = described.needs()?.iter().map(need).collect();
    let rows = [
        ("changes something", changes.to_owned()),
        ("permission", needs.join("; ")),
        ("state of the key", states(&spec.states)),
        ("rate limit", format!("`limits.{}`", rate_limit(spec.class))),
    ];
    table(out, &["", ""], rows.map(|(name, value)| vec![name.to_owned(), value]));

    if spec.params.is_empty() {
        out.push_str("\nNo parameters.\n");
    } else {
        out.push('\n');
        table(out, &["parameter", "required", "form", "limits", "meaning"], described.taken().map(parameter));
    }
    let refused: Vec<String> = described.refused().map(|used| format!("`{}`", used.param.name())).collect();
    if !refused.is_empty() {
        let _ = writeln!(out, "\nRefused with `InvalidParameter`, whatever the value: {}.", refused.join(", "));
    }
    if described.answer.is_empty() {
        out.push_str("\nThe answer has no members of its own.\n");
    } else {
        out.push('\n');
        let mut rows = Vec::new();
        described.answer.iter().for_each(|member| answer(&mut rows, "", member));
        table(out, &["answer", "form", "meaning"], rows);
    }
    let refusals = spec.refusals();
    if !refusals.is_empty() {
        out.push('\n');
        table(out, &["error", "status", "message"], refusals.iter().map(error));
    }
    if spec.params.iter().any(|used| used.param.name() == "DryRun") {
        out.push_str("\nTakes DryRun.\n");
    }
    if !spec.example.is_empty() {
        out.push_str("\n```text\n");
        for (name, value) in spec.example {
            let _ = writeln!(out, "{name}={value}");
        }
        out.push_str("```\n");
    }
    Ok(())
}

fn need(need: &Need) -> String {
    match need.ram_action {
        Some(ram_action) => format!("`{ram_action}` on `{}`", need.resource),
        None => "none, a valid signature is enough".to_owned(),
    }
}

fn states(rule: &StateRule) -> String {
    let StateRule { enabled, disabled, pending_deletion, pending_import } = *rule;
    let states = [
        ("Enabled", enabled),
        ("Disabled", disabled),
        ("PendingDeletion", pending_deletion),
        ("PendingImport", pending_import),
    ];
    if states.iter().all(|(_, refusal)| refusal.is_none()) {
        return "any, or no key concerned".to_owned();
    }
    let cells = states.map(|(state, refusal)| match refusal {
        None => format!("{state}: allowed"),
        Some(refusal) => format!("{state}: `{}`", refusal.code()),
    });
    cells.join("; ")
}

fn parameter(used: &Use) -> Vec<String> {
    let param = used.param;
    let required = if used.required { "yes" } else { "" };
    let meaning = format!("{}{}", mark(param.extension()), text(param.doc()));
    vec![format!("`{}`", param.name()), required.into(), kind(param.kind()).into(), text(param.limits()), meaning]
}

fn answer(rows: &mut Vec<Vec<String>>, prefix: &str, member: &Member) {
    let name = format!("{prefix}{}", member.name);
    let form = match member.shape {
        Shape::Text => "text".to_owned(),
        Shape::Date => "date".to_owned(),
        Shape::DateOrEmpty => "date or empty".to_owned(),
        Shape::Base64 => "Base64".to_owned(),
        Shape::Integer => "integer".to_owned(),
        Shape::Boolean => "boolean".to_owned(),
        Shape::Choice(_) => "name".to_owned(),
        Shape::Object(_) => "object".to_owned(),
        Shape::List(row, _) => format!("object with the list `{row}`"),
        Shape::Objects(_) => "list of objects".to_owned(),
        Shape::Texts => "list of texts".to_owned(),
        Shape::Counts => "object of integers".to_owned(),
        Shape::Events => "list of events".to_owned(),
    };
    let form = if member.optional { format!("{form}, may be absent") } else { form };
    rows.push(vec![format!("`{name}`"), form, format!("{}{}", mark(member.extension), text(member.doc))]);
    match member.shape {
        Shape::Object(members) => {
            for inner in members {
                answer(rows, &format!("{name}."), inner);
            }
        }
        Shape::Objects(members) => {
            for inner in members {
                answer(rows, &format!("{name}[]."), inner);
            }
        }
        Shape::List(row, members) => {
            for inner in members {
                answer(rows, &format!("{name}.{row}[]."), inner);
            }
        }
        _ => {}
    }
}

fn error(refusal: &Refusal) -> Vec<String> {
    vec![format!("`{}`", refusal.code()), refusal.status().to_string(), message(refusal)]
}

/// The message, with the place of a parameter's name shown as such.
fn message(refusal: &Refusal) -> String {
    format!("`{}`", refusal.row().message.replacen("{}", "<name>", 1))
}

fn key_specs(out: &mut String) {
    let _ = writeln!(
        out,
        "\n## Key specs

Each row is one use of one kind of key; a key has one usage for life, the first one listed for its spec unless CreateKey is
told otherwise. Data keys have {}–{} bytes, whatever the key.
",
        limits::DATA_KEY_BYTES.start(),
        limits::DATA_KEY_BYTES.end(),
    );
    let rows = keys::uses().map(|used| {
        let algorithm = used.algorithm.map_or_else(|| "part of the spec".into(), |a| format!("`{}`", a.as_str()));
        let spec = format!("{}`{}`", mark(used.row.extension), used.row.spec.as_str());
        let usage = format!("`{}`", used.usage.as_str());
        let material = material(&used);
        vec![spec, usage, algorithm, used.actions.to_owned(), used.limit, material]
    });
    table(out, &["key spec", "usage", "algorithm", "actions", "limit of one call", "material for import"], rows);
}

fn material(used: &keys::KeyUse) -> String {
    match (used.row.material_bytes, used.row.kind) {
        (Some(bytes), KeyKind::Symmetric) if has_public_import(used) => format!("{bytes} bytes"),
        (Some(bytes), _) => format!("{}{bytes} bytes", mark(true)),
        (None, _) => format!("{}private key in DER", mark(true)),
    }
}

/// The public documentation has material for these two specs only.
const fn has_public_import(used: &keys::KeyUse) -> bool {
    use crate::spec::KeySpec;
    matches!(used.row.spec, KeySpec::AliyunAes256 | KeySpec::AliyunSm4)
}

fn wrappings(out: &mut String) {
    out.push_str(
        "\n## Wrapping for import

What GetParametersForImport takes together. A private key in DER needs one of the RSA_AES_KEY_WRAP forms.

",
    );
    let rows = keys::wrappings().map(|wrapping| {
        vec![
            format!("`{}`", wrapping.key.as_str()),
            format!("{}`{}`", mark(wrapping.extension), wrapping.algorithm.as_str()),
            format!("{} bytes", wrapping.material_bytes_max),
        ]
    });
    table(out, &["`WrappingKeySpec`", "`WrappingAlgorithm`", "longest material"], rows);
}

fn errors(out: &mut String) {
    out.push_str(
        "\n## Errors

The body holds `RequestId`, `HostId`, `Code` and `Message`, and with errors of KMS itself `HttpStatus`. In XML the root is
`<KMS>`, and `<Error>` for errors of the gateway. \"documented\" means that a public page or an official client attests the
code, \"ours\" that it is a choice made here.
",
    );
    let is_dry_run = |refusal: &Refusal| super::DRY_RUN_REFUSALS.contains(refusal);
    let mut part = |title: &str, belongs: &dyn Fn(&Refusal) -> bool| {
        let _ = writeln!(out, "\n### {title}\n");
        let rows = Refusal::ALL.iter().filter(|refusal| belongs(refusal)).map(|refusal| {
            let source = match refusal.row().source {
                Source::Documented => "documented",
                Source::Ours => "ours",
            };
            let from = match refusal.row().origin {
                Origin::Gateway => "gateway",
                Origin::Kms => "KMS",
            };
            let mut row = error(refusal);
            row.extend([from.to_owned(), source.to_owned()]);
            row
        });
        table(out, &["error", "status", "message", "from", "source"], rows);
    };
    part("Errors of every call", &|refusal| is_of_every_call(refusal));
    part("Errors of some calls", &|refusal| !is_of_every_call(refusal) && !is_dry_run(refusal));
    part("Errors of DryRun", &is_dry_run);
}

const fn mark(extension: bool) -> &'static str {
    if extension { "**(extension)** " } else { "" }
}

/// Plain text as Markdown.
fn text(plain: &str) -> String {
    plain.replace('<', "\\<").replace('*', "\\*")
}

fn table(out: &mut String, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | ")).replace("|  |", "| |").replace("|  |", "| |")
    };
    out.push_str(&line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()));
    out.push_str(&"|---".repeat(head.len()));
    out.push_str("|\n");
    for row in rows {
        out.push_str(&line(&row));
    }
}

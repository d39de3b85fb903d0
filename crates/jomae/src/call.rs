//! `jomae call`: any action, with its parameters as the API names them.

use std::{fmt::Write as _, io::Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::{action::ActionSpec, actions, param::Kind};
use zeroize::Zeroizing;

use crate::{
    args::{Call, OutputForm, Show},
    connect::{block_on, client},
    explain, help,
    output::{self, Failure},
    show,
};

/// Largest file that a parameter takes, in bytes.
const FILE_BYTES_MAX: u64 = 128 * 1024;

/// A parameter's name, and its value, which may be a secret.
type Parameter = (String, Zeroizing<String>);

pub fn run(call: &Call) -> Result<(), Failure> {
    if matches!(call.action.as_str(), "--help" | "-h") {
        let mut command = help::command();
        command.build();
        let help = command.find_subcommand_mut("call").map(|call| call.render_long_help().to_string());
        return output::line(&help.unwrap_or_default());
    }
    if call.action == "--list" {
        return list();
    }
    if call.parameters.iter().any(|word| word == "--help" || word == "-h") {
        return help(&call.action);
    }
    if actions::find(&call.action).is_none()
        && let Some(meant) = explain::action_meant(&call.action)
    {
        return Err(unknown(&call.action, Some(meant)));
    }
    let (parameters, show) = parameters(&call.action, &call.parameters)?;
    let show = either(show, &call.remote.show)?;
    for (name, _) in &parameters {
        taken(&call.action, name)?;
    }
    warn_of_text(&call.action, &call.parameters, &parameters);
    let client = client(&call.remote.connection)?;
    let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = block_on(explain::call(&client, &call.action, &pairs))?;
    show::raw(&show, &answer)
}

/// Every action by its API, with the first sentence of what it does.
fn list() -> Result<(), Failure> {
    let first = |doc: &str| doc.split_inclusive(". ").next().unwrap_or(doc).trim_end().to_owned();
    let row = |spec: &&ActionSpec| vec![spec.name.to_owned(), spec.api().name().to_owned(), first(spec.doc)];
    let mut rows: Vec<Vec<String>> = actions::ACTIONS.iter().map(row).collect();
    rows.sort_by(|a, b| (&a[1..2], &a[..1]).cmp(&(&b[1..2], &b[..1])));
    show::Table::new(&["ACTION", "API", "WHAT IT DOES"]).rows(rows.into_iter())
}

fn unknown(action: &str, meant: Option<&str>) -> Failure {
    let meant = meant.map_or_else(String::new, |meant| format!("; is {meant} meant?"));
    Failure::Usage(format!("there is no action {action}{meant}; jomae call --list shows all"))
}

/// `--Plaintext password` is Base64, by chance, of six bytes that nobody meant.
fn warn_of_text(action: &str, words: &[String], parameters: &[Parameter]) {
    let from_words = |value: &str| words.iter().any(|word| word.rsplit('=').next() == Some(value) || word == value);
    let looks_meant = |value: &str| {
        value.len() >= 4
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && STANDARD.decode(value).is_ok_and(|bytes| std::str::from_utf8(&bytes).is_err())
    };
    let given = parameters.iter().find(|(name, _)| action == "Encrypt" && name == "Plaintext");
    if given.is_some_and(|(_, value)| from_words(value) && looks_meant(value)) {
        output::note(
            "--Plaintext was taken as Base64, and what it stands for is no text; to encrypt the text itself: jomae encrypt",
        );
    }
}

/// What an action is and takes, from its declaration.
fn help(action: &str) -> Result<(), Failure> {
    let spec = actions::find(action).ok_or_else(|| unknown(action, explain::action_meant(action)))?;
    let mut text = format!("{}\n\n", spec.doc);
    for used in spec.params {
        let (param, needed) = (used.param, if used.required { "required" } else { "optional" });
        let _ = writeln!(text, "  --{} ({needed})\n      {}\n      {}", param.name(), param.doc(), param.limits());
    }
    output::line(text.trim_end())
}

/// The service ignores what an action does not take, as the public one does. A misspelt `--UserName` of `CreateAccessKey`
/// would make a key of the caller instead, so it is refused here.
fn taken(action: &str, name: &str) -> Result<(), Failure> {
    let Some(spec) = actions::find(action) else { return Ok(()) };
    // `Tag.1.Key` is a part of `Tag`.
    let base = name.split('.').next().unwrap_or(name);
    let mut names = spec.params.iter().map(|used| used.param.name());
    // Every SDK sends the region, and no action needs it.
    if base == "RegionId" || names.clone().any(|known| known == base) {
        return Ok(());
    }
    let meant = names.find(|known| known.eq_ignore_ascii_case(base));
    let hint = meant.map_or_else(|| format!("see jomae call {action} --help"), |known| format!("is --{known} meant?"));
    Err(Failure::Usage(format!("{action} takes no --{base}; {hint}")))
}

/// What stands behind the action, or else before it.
fn either(behind: Show, before: &Show) -> Result<Show, Failure> {
    let (field, query) = match (behind.field, behind.query) {
        (None, None) => (before.field.clone(), before.query.clone()),
        (Some(_), Some(_)) => return Err(Failure::Usage("--field and --query exclude each other".into())),
        given => given,
    };
    Ok(Show { output: behind.output.or(before.output), field, query })
}

/// Reads `--Name value` and `--Name=value`. How to show the answer is ours, since everything behind the action comes here;
/// no parameter of the API begins with a small letter.
fn parameters(action: &str, words: &[String]) -> Result<(Vec<Parameter>, Show), Failure> {
    let (mut parameters, mut show) = (Vec::<Parameter>::new(), Show::default());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = word
            .strip_prefix("--")
            .filter(|flag| !flag.is_empty())
            .ok_or_else(|| Failure::Usage("parameters have the form --Name value".into()))?;
        let (name, value) = if let Some((name, value)) = flag.split_once('=') {
            (name, value.to_owned())
        } else {
            let value = words.next().ok_or_else(|| Failure::Usage(format!("--{flag} lacks its value")))?;
            (flag, value.clone())
        };
        match name {
            "output" => {
                show.output = Some(match value.as_str() {
                    "json" => OutputForm::Json,
                    "table" => OutputForm::Table,
                    _ => return Err(Failure::Usage("--output is json or table".into())),
                });
                continue;
            }
            "field" => {
                show.field = Some(value);
                continue;
            }
            "query" => {
                show.query = Some(value);
                continue;
            }
            _ => {}
        }
        if parameters.iter().any(|(given, _)| given == name) {
            return Err(Failure::Usage(format!("--{name} is given twice")));
        }
        parameters.push((name.to_owned(), content(action, name, Zeroizing::new(value))?));
    }
    Ok((parameters, show))
}

/// What a value stands for: itself, or the content of a file.
fn content(action: &str, name: &str, value: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    let Some(rest) = value.strip_prefix('@') else {
        // Such tokens are read from files by a shell or a pod, with the line end.
        let token = name == "OIDCToken";
        return Ok(if token { Zeroizing::new(value.trim_end_matches(['\r', '\n']).to_owned()) } else { value });
    };
    if rest.starts_with('@') {
        return Ok(Zeroizing::new(rest.to_owned()));
    }
    let bytes = read(rest)?;
    if wants_base64(action, name) {
        return Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())));
    }
    match std::str::from_utf8(&bytes) {
        // A ciphertext that was saved with its line end is the same ciphertext.
        Ok(text) => Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(_) => Err(Failure::Local(format!("{rest}: --{name} takes text, and this is none"))),
    }
}

/// Plain bytes get their Base64 here. A ciphertext comes as the text in which the service gave it.
fn wants_base64(action: &str, name: &str) -> bool {
    name != "CiphertextBlob"
        && actions::find(action).is_some_and(|spec| {
            spec.params.iter().any(|used| used.param.name() == name && used.param.kind() == Kind::Base64)
        })
}

fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("{path}: {error}"));
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = FILE_BYTES_MAX + 1;
    if path == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(path).map_err(failed)?.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::Local(format!("{path}: larger than {FILE_BYTES_MAX} bytes; see `jomae file encrypt`")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_loses_the_line_end_behind_it_and_nothing_else_does() {
        let taken = |name: &str| content("AssumeRoleWithOIDC", name, Zeroizing::new("a.b.c\r\n".to_owned()));
        assert!(matches!(taken("OIDCToken"), Ok(value) if *value == "a.b.c"));
        assert!(matches!(taken("RoleSessionName"), Ok(value) if *value == "a.b.c\r\n"));
    }

    fn read_words(words: &[&str]) -> Result<Vec<(String, String)>, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match parameters("Encrypt", &words) {
            Ok((read, _)) => Ok(read.into_iter().map(|(name, value)| (name, value.to_string())).collect()),
            Err(Failure::Local(text) | Failure::Usage(text)) => Err(text),
            Err(_) => unreachable!(),
        }
    }

    #[test]
    fn forms_of_parameters() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read_words(&["--KeyId", "k", "--X=a=b"]).unwrap(), [pair("KeyId", "k"), pair("X", "a=b")]);
        assert_eq!(read_words(&["--X", "@@home"]).unwrap(), [pair("X", "@home")]);
        assert_eq!(read_words(&["--X", "--Y"]).unwrap(), [pair("X", "--Y")]);
        assert!(read_words(&["KeyId", "k"]).is_err());
        assert!(read_words(&["--KeyId"]).unwrap_err().contains("--KeyId"));
        assert!(read_words(&["--X", "1", "--X", "2"]).unwrap_err().contains("twice"));
        assert!(read_words(&["--X", "@/no/such/file"]).unwrap_err().contains("/no/such/file"));
    }

    #[test]
    fn a_misspelt_parameter_is_refused() {
        let told = |action: &str, name: &str| match taken(action, name) {
            Ok(()) => None,
            Err(Failure::Usage(text)) => Some(text),
            Err(_) => unreachable!(),
        };
        for (action, name) in [
            ("CreateAccessKey", "UserName"),
            ("Encrypt", "EncryptionContext.tenant"),
            ("TagResources", "Tag.1.Key"),
            ("LookupEvents", "LookupAttribute.2.Value"),
            ("ListUsers", "RegionId"),
            ("NotKnownHere", "Anything"),
        ] {
            assert_eq!(told(action, name), None, "{action} {name}");
        }
        assert!(told("CreateAccessKey", "Username").unwrap().contains("is --UserName meant?"));
        assert!(told("DeleteUser", "DryRun").unwrap().contains("DeleteUser takes no --DryRun; see"));
    }

    #[test]
    fn files_become_base64_where_the_parameter_wants_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello\n").unwrap();
        let at = format!("@{}", file.path().display());
        let read = read_words(&["--Plaintext", &at, "--Description", &at]).unwrap();
        assert_eq!(read[0].1, "aGVsbG8K");
        assert_eq!(read[1].1, "hello");
    }
}

//! `jomae file`: envelope encryption of local files.

use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use jomae_api::param::EncryptionContext;
use jomae_client::{
    api::CallError,
    file::{self, Error, Header, Input, KeysError, Output, Progress},
};
use serde_json::json;

use crate::{
    args::{Data, File, Remote, Show},
    connect::{block_on, client},
    explain, names,
    output::{self, Failure},
    show, signals,
};

const SUFFIX: &str = "jomae";

pub fn run(remote: &Remote, command: File) -> Result<(), Failure> {
    match command {
        File::Encrypt { key, data } => {
            let target = named(&data).unwrap_or_else(|| with_suffix(&data.input));
            let key = names::key(&key)?;
            if is_dash(&target) && std::io::stdout().is_terminal() {
                return Err(on_terminal("an encrypted file"));
            }
            let client = client(&remote.connection)?;
            process(&data, &target, async |context, input, output, on_progress| {
                file::encrypt(&client, &key, context, input, output, on_progress).await
            })
        }
        File::Decrypt { data } => {
            let target = match named(&data) {
                Some(target) => target,
                None => without_suffix(&data.input)?,
            };
            let client = client(&remote.connection)?;
            process(&data, &target, async |context, input, output, on_progress| {
                file::decrypt(&client, context, input, output, on_progress).await
            })
        }
        File::Inspect { input } => inspect(&remote.show, &input),
    }
}

/// The output that was named, in either way.
fn named(data: &Data) -> Option<PathBuf> {
    data.target.clone().or_else(|| data.out.clone())
}

/// What is not text could command a terminal, and is of no use there.
pub fn on_terminal(what: &str) -> Failure {
    Failure::Local(format!("{what} is binary, which is not written to a terminal: name a file with -o, or use a pipe"))
}

/// Standard output; nothing but text if it is a terminal.
fn standard_output() -> Result<Output<'static>, Error> {
    if std::io::stdout().is_terminal() { Ok(Output::writer(TextOnly)) } else { Output::stdout() }
}

struct TextOnly;

impl Write for TextOnly {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !output::is_text(bytes) {
            return Err(std::io::Error::other(
                "the data is binary, and standard output a terminal: name a file with -o, or use a pipe",
            ));
        }
        std::io::stdout().lock().write_all(bytes).map(|()| bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().lock().flush()
    }
}

fn process(
    data: &Data,
    target: &Path,
    work: impl AsyncFnOnce(&EncryptionContext, Input<'_>, Output<'_>, file::OnProgress<'_>) -> Result<Header, Error>,
) -> Result<(), Failure> {
    let context = context(&data.context)?;
    signals::leave_nothing_behind();
    let input = if is_dash(&data.input) { Input::stdin() } else { Input::file(&data.input) }.map_err(failure)?;
    let output = if is_dash(target) { standard_output() } else { Output::file(target, data.force) }.map_err(failure)?;
    let bar = (!data.quiet && std::io::stderr().is_terminal()).then(bar);
    let mut on_progress = |progress: Progress| {
        if let Some(bar) = &bar {
            if let Some(total) = progress.total_bytes {
                bar.set_length(total.max(progress.done_bytes));
            }
            bar.set_position(progress.done_bytes);
        }
    };
    let result = block_on(async { work(&context, input, output, &mut on_progress).await.map_err(failure) });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    result.map(|_| ())
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn inspect(show: &Show, input: &Path) -> Result<(), Failure> {
    let header = if is_dash(input) {
        file::inspect(&mut std::io::stdin().lock())
    } else {
        let mut opened =
            std::fs::File::open(input).map_err(|error| Failure::Local(format!("{}: {error}", input.display())))?;
        file::inspect(&mut opened)
    }
    .map_err(failure)?;
    let shown = json!({
        "Region": header.region,
        "KeyId": header.key_id,
        "EncryptionContextKeys": header.context_keys,
        "EncryptedDataKeyBytes": header.encrypted_key.len(),
    });
    show::answer(show, &shown)
}

pub fn context(pairs: &[String]) -> Result<EncryptionContext, Failure> {
    let mut seen = std::collections::BTreeMap::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::Usage("a pair of the encryption context has the form NAME=VALUE".into()))?;
        if seen.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::Usage(format!("the encryption context names `{name}` twice")));
        }
    }
    Ok(seen.into_iter().collect())
}

pub fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn with_suffix(path: &Path) -> PathBuf {
    if is_dash(path) {
        return path.to_owned();
    }
    let mut name = OsString::from(path.as_os_str());
    name.push(".");
    name.push(SUFFIX);
    name.into()
}

fn without_suffix(path: &Path) -> Result<PathBuf, Failure> {
    if is_dash(path) {
        return Ok(path.to_owned());
    }
    match path.extension() {
        Some(extension) if extension == SUFFIX => Ok(path.with_extension("")),
        _ => Err(Failure::Usage(format!("{} does not end in .{SUFFIX}: name the output too", path.display()))),
    }
}

/// A refusal of the service keeps its own exit code.
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Keys(cause) => of_keys(cause),
        Error::OutputExists(_) => Failure::Local(format!("{error}; --force replaces it")),
        other => Failure::Local(other.to_string()),
    }
}

pub fn of_keys(cause: KeysError) -> Failure {
    match cause.downcast::<CallError>() {
        Ok(call) => Failure::Call(explain::explained(*call, "", &[], None)),
        Err(cause) => Failure::Local(cause.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_outputs() {
        assert_eq!(with_suffix(Path::new("a/b.tar")), Path::new("a/b.tar.jomae"));
        assert_eq!(without_suffix(Path::new("a/b.tar.jomae")).ok().as_deref(), Some(Path::new("a/b.tar")));
        assert!(without_suffix(Path::new("a/b.tar")).is_err());
        assert_eq!(with_suffix(Path::new("-")), Path::new("-"));
    }

    #[test]
    fn contexts() {
        assert_eq!(context(&["a=b=c".into()]).ok().unwrap().pairs()["a"], "b=c");
        assert!(context(&["a".into()]).is_err());
        assert!(context(&["a=1".into(), "a=2".into()]).is_err());
    }
}

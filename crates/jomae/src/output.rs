//! What people and scripts see: results on standard output, failures in one line on standard error. How results look is in `show`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jomae_client::api::CallError;

use crate::explain;

/// Why a command did not do its work.
pub enum Failure {
    /// On this side.
    Local(String),
    /// The command line does not make sense.
    Usage(String),
    Call(CallError),
    /// The service failed, or gave no answer.
    Service(String),
    /// The answer, which was given, is no.
    No,
}

impl Failure {
    /// Reports it, and gives the exit code: the table "Exit codes" of docs/tasks/command-line.md.
    pub fn report(self) -> ExitCode {
        let (text, code) = match self {
            // A closed pipe is how the next command says that it has enough.
            Self::Local(text) if text.is_empty() => return ExitCode::SUCCESS,
            Self::Local(text) => (text, 1),
            Self::Usage(text) => (text, 2),
            Self::Service(text) => (text, 4),
            Self::No => return ExitCode::from(1),
            Self::Call(error) => {
                let code = match &error {
                    CallError::Settings(_) => 1,
                    CallError::Refused { status: 400..=499, .. } => 3,
                    CallError::Refused { .. } | CallError::Network { .. } | CallError::Foreign { .. } => 4,
                };
                let hint = match &error {
                    CallError::Network { cause, .. } => explain::no_connection(cause).map(|hint| format!(". {hint}")),
                    _ => None,
                };
                (format!("{error}{}", hint.unwrap_or_default()), code)
            }
        };
        let _ = writeln!(io::stderr().lock(), "jomae: {text}");
        ExitCode::from(code)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Says something beside the result, on standard error.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "jomae: {text}");
}

/// Writes a line to standard output.
pub fn line(text: &str) -> Result<(), Failure> {
    write_out(format!("{text}\n").as_bytes())
}

/// Writes bytes to standard output.
pub fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Local(String::new()),
        _ => Failure::Local(format!("standard output: {error}")),
    })
}

/// Whether bytes, which may begin or end within a character, are text that does nothing to a terminal.
pub fn is_text(bytes: &[u8]) -> bool {
    let mut chunks = bytes.utf8_chunks().peekable();
    let mut is_first = true;
    while let Some(chunk) = chunks.next() {
        let harmless = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
        // Whole characters before the cut one at the start there are none, behind the one at the end neither.
        let is_cut = (is_first && chunk.valid().is_empty()) || chunks.peek().is_none();
        if !chunk.valid().chars().all(harmless) || !(chunk.invalid().is_empty() || is_cut) {
            return false;
        }
        is_first = false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_terminal_takes() {
        for text in ["", "a\tb\r\n", "鍵"] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        for binary in [&b"\0"[..], b"\x1b[2J", b"a\xffb", &[0xff; 32], "\u{9b}2J".as_bytes()] {
            assert!(!is_text(binary), "{binary:?}");
        }
        // Cut within a character.
        assert!(is_text(&"鍵".as_bytes()[..2]));
    }
}

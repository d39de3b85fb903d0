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
    /// On this side, and to be mended before the same is done again.
    Operator(String),
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
            Self::Operator(text) => (text, 5),
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
        note(&text);
        ExitCode::from(code)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Says something beside the result, on standard error. Everything that is said there goes through here.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "jomae: {}", said(text));
}

/// What is quoted in it may be somebody else's, such as the manifest of a backup. Further lines, as of an error in a
/// configuration, are indented: none looks like one that this program begins.
fn said(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n  ")
}

/// Text that somebody else wrote, such as a description: it may neither make lines of its own nor command a terminal, nor
/// turn round what stands beside it.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_layout(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Marks, embeddings, overrides and isolates of bidirectional text, and the separators of lines and paragraphs.
fn is_layout(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    fn nothing_that_is_quoted_commands_a_terminal() {
        for (text, shown) in [
            ("plain: 鍵 \"é\"", "plain: 鍵 \"é\""),
            ("a\x1b[2Jb\x07", "a\\u{1b}[2Jb\\u{7}"),
            ("\u{9b}2J\x7f\r\t", "\\u{9b}2J\\u{7f}\\r\\t"),
            ("\u{202e}oof\u{2066}\u{200f}\u{2028}", "\\u{202e}oof\\u{2066}\\u{200f}\\u{2028}"),
            ("own\nlines\njomae: forged\n", "own\n  lines\n  jomae: forged"),
        ] {
            assert_eq!(said(text), shown, "{text:?}");
        }
        assert_eq!(harmless("a\nb"), "a\\nb");
    }

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

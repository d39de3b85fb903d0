//! What people and scripts see: results on standard output, failures in one line on standard error.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jomae_client::api::CallError;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::args::OutputForm;

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
    /// Reports it, and gives the exit code: the table "Exit codes" of docs/operations.md.
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
                (error.to_string(), code)
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

/// Shows the answer of a call.
pub fn answer(form: Option<OutputForm>, answer: &Value) -> Result<(), Failure> {
    match form {
        None | Some(OutputForm::Json) => {
            let text = serde_json::to_string_pretty(answer).map_err(|error| Failure::Local(error.to_string()))?;
            line(&text)
        }
        Some(OutputForm::Table) => {
            let mut rows = Vec::new();
            flatten("", answer, &mut rows);
            table(&[], &rows)
        }
    }
}

/// A nested answer as rows of (dotted name, value).
fn flatten(name: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    let join = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(part, value)| flatten(&join(part), value, rows)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| flatten(&join(&(index + 1).to_string()), value, rows));
        }
        Value::String(text) => rows.push(vec![name.to_owned(), text.clone()]),
        other => rows.push(vec![name.to_owned(), other.to_string()]),
    }
}

/// Text that somebody else wrote, such as a description: it may neither make lines of its own nor command a terminal.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
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

/// Columns, aligned.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    write_out(laid_out(head, rows).as_bytes())
}

fn laid_out(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut all: Vec<Vec<String>> = Vec::new();
    if !head.is_empty() {
        all.push(head.iter().map(|&cell| cell.to_owned()).collect());
    }
    all.extend(rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()));
    let columns = all.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &all {
        let mut cells = row.iter().zip(&widths).peekable();
        while let Some((cell, width)) = cells.next() {
            text.push_str(cell);
            if cells.peek().is_some() {
                text.extend(std::iter::repeat_n(' ', width + 2 - cell.width()));
            }
        }
        text.push('\n');
    }
    text
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

    #[test]
    fn what_others_wrote_stays_in_its_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        // A character of Chinese or Japanese is two columns wide.
        let wide = [row(["鍵", "x"]), row(["key", "y"])];
        assert_eq!(laid_out(&[], &wide), "鍵   x\nkey  y\n");
        let rows = [row(["k1", "張 \u{1b}[31mred\nk9  Enabled\u{9b}2J\t\u{7f}"]), row(["key-2", ""])];
        assert_eq!(
            laid_out(&["KEY", "DESCRIPTION"], &rows),
            "KEY    DESCRIPTION\nk1     張 \\u{1b}[31mred\\nk9  Enabled\\u{9b}2J\\t\\u{7f}\nkey-2  \n"
        );
    }
}

//! Commands that run to their end.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

/// How a command ended.
pub struct Ran {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("standard output is text")
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).expect("standard output is JSON")
    }

    /// Checks that it succeeded and was silent on standard error.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        self
    }

    /// Checks that it failed with this code and one line that has each of these words.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        let line = self.stderr.strip_suffix('\n').expect("a whole line on standard error");
        assert!(line.starts_with("jomae: ") && !line.contains('\n'), "not one line of jomae: {line:?}");
        for word in words {
            assert!(line.contains(word), "{word:?} is not in: {line}");
        }
        self
    }
}

/// Runs a command with a standard input. It may stop reading early.
pub fn run(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be run");
    let mut stdin = child.stdin.take().expect("its standard input");
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("its output")
    });
    Ran {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}

/// Runs the command line without any service.
pub fn jomae(words: &[&str]) -> Ran {
    let mut command = crate::binary::command();
    command.args(words);
    run(command, b"")
}

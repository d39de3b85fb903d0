//! Checks an audit log with nothing of the service: `cargo run -p jomae-log --example verify -- DIRECTORY KEY`.
//!
//! The key is the text of `key.pub` as you have kept it, not as it lies beside the log.

use std::{env, path::Path, process::ExitCode};

use jomae_log::{VerifierKey, verify};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [directory, key] = arguments.as_slice() else {
        eprintln!("usage: verify DIRECTORY KEY");
        return ExitCode::from(2);
    };
    let report = VerifierKey::parse(key)
        .map_err(verify::VerifyError::from)
        .and_then(|key| verify::verify(Path::new(directory), &key, &[]));
    match report {
        Ok(report) => {
            print!("{report}");
            if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

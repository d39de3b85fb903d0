//! What is checked and proven off line, from the files of a log and its public key.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read as _, Write},
    path::{Path, PathBuf},
};

use jomae_api::{names::AccountId, time::Timestamp};
use jomae_log::{
    EventProof, VerifierKey,
    event_proof::PROOF_BYTES_MAX,
    note::NOTE_BYTES_MAX,
    receipt::RECEIPT_BYTES_MAX,
    verify::{self, ConsistencyProof, EventRef, ExportReport, Filter, ReceiptCheck, VerifyError, newest_checkpoint},
};
use jomae_server::{backup::check_report, bootstrap::audit_dir};

use crate::{
    args::{Log, LogKey, Range},
    output::{self, Failure},
    serve, times,
};

/// Largest file of a public key, in bytes.
const KEY_BYTES_MAX: u64 = 4096;
/// Largest file of checkpoints, in bytes.
const CHECKPOINTS_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
pub(super) fn failure(error: VerifyError) -> Failure {
    Failure::Local(error.to_string())
}

fn dir(log: &Log) -> Result<PathBuf, Failure> {
    match &log.directory {
        Some(dir) => Ok(dir.clone()),
        None => Ok(audit_dir(&serve::config(&log.config)?.data_dir)),
    }
}

/// Reads a text file; - is standard input.
fn read(path: &Path, bytes_max: u64) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::Local(format!("{}: {error}", path.display()));
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().lock().take(bytes_max + 1).read_to_string(&mut text).map_err(failed)?;
    } else {
        File::open(path).map_err(failed)?.take(bytes_max + 1).read_to_string(&mut text).map_err(failed)?;
    }
    if text.len() as u64 > bytes_max {
        return Err(Failure::Local(format!("{}: longer than {bytes_max} bytes", path.display())));
    }
    Ok(text)
}

/// A key by its text, or by a file that has it. No file can have the name of a key: it would end in Base64 with `=`.
pub(crate) fn given_key(given: &str) -> Result<VerifierKey, Failure> {
    if let Ok(key) = VerifierKey::parse(given.trim_ascii()) {
        return Ok(key);
    }
    let text = read(Path::new(given), KEY_BYTES_MAX)?;
    VerifierKey::parse(text.trim_ascii()).map_err(|error| Failure::Local(format!("{given}: {error}")))
}

/// The key of a log, and whether it lies beside the log.
fn key(log: &Log, dir: &Path) -> Result<(VerifierKey, bool), Failure> {
    if let Some(given) = &log.key {
        return Ok((given_key(given)?, false));
    }
    match verify::files::read_key(dir).map_err(failure)? {
        Some(key) => Ok((key, true)),
        None => Err(Failure::Local(format!("{}: there is no key.pub; give the key with --key", dir.display()))),
    }
}

/// Writes a new file; what is there is left as it is.
fn create(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::Local(format!("{} exists already and was left as it is", path.display()))
        }
        _ => Failure::Local(format!("{}: {error}", path.display())),
    })
}

fn write(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    match path {
        None => output::line(text),
        Some(path) => {
            let mut file = create(path)?;
            let written = file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all());
            written.map_err(|error| Failure::Local(format!("{}: {error}", path.display())))
        }
    }
}

/// The checkpoints of files that were kept.
pub(super) fn given_notes(checkpoints: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    for path in checkpoints {
        notes.extend(notes_of(&read(path, CHECKPOINTS_BYTES_MAX)?));
    }
    Ok(notes)
}

pub fn verify(log: &Log, checkpoints: &[PathBuf]) -> Result<(), Failure> {
    let dir = dir(log)?;
    let (key, beside) = key(log, &dir)?;
    let notes = given_notes(checkpoints)?;
    let report = verify::verify(&dir, &key, &notes).map_err(failure)?;
    let whose = if beside { ", which lies beside the log: compare it with the one that you keep" } else { "" };
    output::line(&format!("key: {key}{whose}"))?;
    output::write_out(report.to_string().as_bytes())?;
    if report.is_intact() {
        return Ok(());
    }
    let count = report.findings.len() as u64 + report.findings_more;
    Err(Failure::Local(format!("{}: {count} finding(s); the log is not intact", dir.display())))
}

/// The notes of a file: one, or several, each with an empty line behind it or without. What is left of a last one that
/// was not written to its end does not count.
fn notes_of(content: &str) -> Vec<String> {
    let (mut notes, mut note, mut signed) = (Vec::new(), String::new(), false);
    for line in content.split_inclusive('\n') {
        let is_signature = line.starts_with("\u{2014} ");
        if signed && !is_signature {
            notes.push(std::mem::take(&mut note));
            signed = false;
        }
        if !(note.is_empty() && line.trim_ascii().is_empty()) {
            signed = is_signature && (signed || note.ends_with("\n\n"));
            note.push_str(line);
        }
    }
    if notes.is_empty() || (signed && note.ends_with('\n')) {
        notes.push(note);
    }
    notes
}

pub fn prove(log: &Log, event: &str, to: Option<&Path>) -> Result<(), Failure> {
    let dir = dir(log)?;
    let (key, _) = key(log, &dir)?;
    let proof = verify::prove(&dir, &key, EventRef::parse(event)).map_err(failure)?;
    write(to, &proof.to_json())?;
    match to {
        Some(path) => output::line(&format!("the proof of event {} is in {}", proof.index, path.display())),
        None => Ok(()),
    }
}

pub fn check_proof(file: &Path, key: &LogKey) -> Result<(), Failure> {
    let key = given_key(&key.key)?;
    let text = read(file, PROOF_BYTES_MAX as u64)?;
    if let Ok(proof) = ConsistencyProof::parse(text.trim_ascii()) {
        let (old, new) = proof.verify(&key).map_err(failure)?;
        let (origin, new_time, old_time) = (&new.origin, new.time, old.time);
        return output::line(&format!(
            "proven: the log {origin} of {new_time} with {} events begins with the {} of {old_time}",
            new.size, old.size
        ));
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::Local(format!("{}: {error}", file.display()));
    let proof = EventProof::parse(text.trim_ascii()).map_err(|error| wrong(&error))?;
    let checkpoint = proof.verify(&key).map_err(|error| wrong(&error))?;
    output::line(&format!(
        "proven: event {} of the log {} is this, by the checkpoint of {} with {} events\n{}",
        proof.index, checkpoint.origin, checkpoint.time, checkpoint.size, proof.event
    ))
}

pub fn consistency(log: &Log, checkpoint: &Path, to: Option<&Path>) -> Result<(), Failure> {
    let dir = dir(log)?;
    let (key, _) = key(log, &dir)?;
    let notes = notes_of(&read(checkpoint, CHECKPOINTS_BYTES_MAX)?);
    let old = notes.last().map(String::as_str).unwrap_or_default();
    let proof = verify::consistency(&dir, &key, old).map_err(failure)?;
    let (old, new) = proof.verify(&key).map_err(failure)?;
    if to.is_some() {
        write(to, &proof.to_json())?;
    }
    output::line(&format!(
        "consistent: the {} events of {} are the first of the {} of {}",
        old.size, old.time, new.size, new.time
    ))
}

pub fn receipt(log: &Log, receipt: &str, proof: Option<&Path>) -> Result<(), Failure> {
    let receipt = match receipt.strip_prefix('@') {
        Some(path) => read(Path::new(path), RECEIPT_BYTES_MAX as u64 + 2)?,
        None if Path::new(receipt).is_file() => {
            return Err(Failure::Usage(format!("{receipt} is a file: give it as @{receipt}")));
        }
        None => receipt.to_owned(),
    };
    let kept = if let Some(path) = proof {
        let given = log.key.as_ref().ok_or_else(|| Failure::Usage("--proof needs --key".into()))?;
        let text = read(path, PROOF_BYTES_MAX as u64)?;
        let proof = EventProof::parse(text.trim_ascii())
            .map_err(|error| Failure::Local(format!("{}: {error}", path.display())))?;
        verify::check_receipt_by_proof(&proof, &given_key(given)?, &receipt)
    } else {
        let dir = dir(log)?;
        let (key, _) = key(log, &dir)?;
        verify::check_receipt(&dir, &key, &receipt)
    };
    match kept.map_err(failure)? {
        ReceiptCheck::Proven(receipt, checkpoint) => output::line(&format!(
            "kept: event {} ({}) of {} is in the log {}, by the checkpoint of {}",
            receipt.index, receipt.event_id, receipt.time, receipt.origin, checkpoint.time
        )),
        ReceiptCheck::NotYetCovered(receipt) => output::line(&format!(
            "kept so far: event {} ({}) of {} is in the log {}; no checkpoint covers it yet, ask again in some seconds",
            receipt.index, receipt.event_id, receipt.time, receipt.origin
        )),
    }
}

pub fn export(log: &Log, account: Option<String>, range: &Range, to: &Path) -> Result<(), Failure> {
    if account.as_ref().is_some_and(|account| AccountId::new(account).is_none()) {
        return Err(Failure::Usage("an account has 16 digits".into()));
    }
    let (from, until) = times::range(range)?;
    let of_log = |time: Timestamp| jomae_log::Timestamp(time.0);
    let filter = Filter { account, from: from.map(of_log), to: until.map(of_log) };
    let dir = dir(log)?;
    let (key, _) = key(log, &dir)?;
    if to == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        return verify::export(&dir, &key, &filter, &mut out).map(drop).map_err(failure);
    }
    let mut file = BufWriter::new(create(to)?);
    let exported = verify::export(&dir, &key, &filter, &mut file).map_err(failure);
    let exported = exported.and_then(|report| {
        let synced = file.get_ref().sync_all();
        synced.map_err(|error| Failure::Local(format!("{}: {error}", to.display())))?;
        Ok(report)
    });
    match exported {
        Ok(report) => output::line(&format!("{}: {}", to.display(), summary(&report))),
        Err(failure) => {
            // Half an excerpt would look like a whole one.
            let _ = fs::remove_file(to);
            Err(failure)
        }
    }
}

fn summary(report: &ExportReport) -> String {
    let checkpoint = &report.checkpoint;
    let covered = format!("checkpoint of {} with {} events", checkpoint.time, checkpoint.size);
    match report.range {
        None => format!("no events; {covered}"),
        Some((first, last)) => format!(
            "{} events, numbers {first} to {last}, {} of others in between left out; {covered}",
            report.events, report.left_out
        ),
    }
}

pub fn check_export(file: &Path, key: &LogKey) -> Result<(), Failure> {
    let key = given_key(&key.key)?;
    let wrong = |error: &dyn std::fmt::Display| Failure::Local(format!("{}: {error}", file.display()));
    let report = if file == Path::new("-") {
        verify::verify_export(&mut io::stdin().lock(), &key)
    } else {
        let opened = File::open(file).map_err(|error| wrong(&error))?;
        verify::verify_export(&mut BufReader::new(opened), &key)
    };
    let report = report.map_err(|error| wrong(&error))?;
    output::line(&format!("proven, all of them of the log {}: {}", report.checkpoint.origin, summary(&report)))
}

pub fn check_drill(file: &Path, key: &LogKey) -> Result<(), Failure> {
    let key = given_key(&key.key)?;
    let report = read(file, NOTE_BYTES_MAX as u64)?;
    let wrong = |error: &dyn std::fmt::Display| Failure::Local(format!("{}: {error}", file.display()));
    let told = check_report(&report, &key).map_err(|error| wrong(&error))?;
    let told = told.ok_or_else(|| wrong(&"this is not the report of a drill"))?;
    output::line(&format!("proven: signed with the key of the log {}\n{}", key.name(), told.trim_end()))
}

pub fn checkpoint(log: &Log) -> Result<(), Failure> {
    let dir = dir(log)?;
    let (key, _) = key(log, &dir)?;
    let (_, note) = newest_checkpoint(&dir, &key).map_err(failure)?;
    output::write_out(note.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_that_were_kept_in_one_file() {
        let note = |size: u32| format!("origin\n{size}\nroot\ntime\n\n\u{2014} origin c2ln\n\u{2014} witness c2ln\n");
        let (one, two) = (note(1), note(2));
        assert_eq!(notes_of(&one), [one.as_str()]);
        for between in ["", "\n", "\n\n"] {
            for end in ["", "\n", "\n\n", "\norigin\n3\nro", "\norigin\n3\nroot\ntime\n\n\u{2014} ori"] {
                let file = format!("{one}{between}{two}{end}");
                assert_eq!(notes_of(&file), [one.as_str(), two.as_str()], "{file:?}");
            }
        }
        // What is no checkpoint is not passed over in silence.
        assert_eq!(notes_of("")[..], [""]);
        assert_eq!(notes_of("nothing\n\nelse\n")[..], ["nothing\n\nelse\n"]);
        let file = format!("nothing\n\n{one}");
        assert_eq!(notes_of(&file)[..], [file.as_str()]);
    }
}

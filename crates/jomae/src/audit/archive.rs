//! The logs in an archive, checked one after the other.

use std::path::PathBuf;

use jomae_log::{
    archive::log_name,
    verify::{ArchivedLog, Report, verify_archived},
};
use jomae_server::{audit, config};

use super::proofs::{failure, given_key, given_notes};
use crate::{
    args::{Archive, Log},
    output::{self, Failure},
    serve,
};

/// The archive that is asked for, if one is.
pub fn config(log: &Log, asked: Archive) -> Result<Option<config::Archive>, Failure> {
    let Archive { to, endpoint, region, credentials } = asked;
    let Some(to) = to else { return Ok(None) };
    if to.is_empty() {
        let configured = serve::config(&log.config)?.audit.archive;
        let none = || Failure::Usage("the configuration has no audit.archive: give the archive, or --config".into());
        return configured.ok_or_else(none).map(Some);
    }
    // A directory may stand relative to here.
    let to = if to.starts_with("s3://") {
        to
    } else {
        let absolute = std::path::absolute(&to).map_err(|error| Failure::Local(format!("{to}: {error}")))?;
        absolute.to_string_lossy().into_owned()
    };
    Ok(Some(config::Archive { to, endpoint, region, credentials_file: credentials, every_secs: 1 }))
}

/// Checks every log in it, or the one of the key that is given.
pub fn verify(log: &Log, config: &config::Archive, checkpoints: &[PathBuf]) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Local(format!("{}: {error}", config.to));
    let given = log.key.as_deref().map(given_key).transpose()?;
    let notes = given_notes(checkpoints)?;
    if given.is_none() && !notes.is_empty() {
        return Err(Failure::Usage("--checkpoint needs --key: of which log in the archive is it?".into()));
    }
    let mut archive = audit::open_archive(config, None).map_err(|error| failed(&error))?;
    let names = match &given {
        Some(key) => vec![log_name(key)],
        None => archive.logs().map_err(|error| failed(&error))?,
    };
    if names.is_empty() {
        return Err(failed(&"there is no log in this archive"));
    }
    let mut damaged = Vec::new();
    for name in &names {
        let mut log = ArchivedLog::new(&mut *archive, name);
        let key = match &given {
            Some(key) => Some(key.clone()),
            None => log.key().ok().flatten(),
        };
        output::line(&format!("log in the archive: {name}"))?;
        let Some(key) = key else {
            output::line("there is no key.pub that is one: give the key with --key\n")?;
            damaged.push(name.as_str());
            continue;
        };
        let whose =
            if given.is_none() { ", which lies beside the log: compare it with the one that you keep" } else { "" };
        output::line(&format!("key: {key}{whose}"))?;
        if log_name(&key) != *name {
            output::line("file: key.pub: is the key of another log\n")?;
            damaged.push(name);
            continue;
        }
        let scratch = tempfile::tempdir().map_err(|error| failed(&error))?;
        let report = verify_archived(&mut log, &key, &notes, scratch.path()).map_err(failure)?;
        output::line(&extent(&report))?;
        output::line(&report.to_string())?;
        if !report.is_intact() {
            damaged.push(name);
        }
    }
    if damaged.is_empty() { Ok(()) } else { Err(failed(&format!("not intact: {}", damaged.join(", ")))) }
}

/// How far the archive reaches.
fn extent(report: &Report) -> String {
    match (report.events.checked_sub(1), report.time_range) {
        (None, _) => "the archive has no event of it yet".into(),
        (Some(last), None) => format!("the archive reaches event {last}"),
        (Some(last), Some((_, latest))) => {
            format!(
                "the archive reaches event {last}, of {latest}; later ones were in the open file, if there were any"
            )
        }
    }
}

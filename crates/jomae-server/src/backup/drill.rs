//! The drill: restoring a backup to see that it can be.

use std::{path::PathBuf, time::Instant};

use jomae_api::time::Timestamp;
use jomae_log::{Checkpoint, TlogError, VerifierKey, note, verify};
use serde::Serialize;
use tokio::runtime::Handle;

use super::{
    BackupError, Place, Wish, io_error,
    restore::{Filled, open, restore_into},
    trust::WITNESS_BYTES_MAX,
};
use crate::{audit, bootstrap::audit_dir, config::Config, files, gateway};

/// Where reports are, below the data directory.
pub(super) const REPORTS: &str = "drills";
/// The first line of what is signed.
const SIGNED_LABEL: &str = "jomae drill v1";

/// What a signed report says, a JSON object; none if something else was signed.
///
/// # Errors
/// This key has not signed it.
pub fn check_report<'r>(report: &'r str, key: &VerifierKey) -> Result<Option<&'r str>, TlogError> {
    let text = note::open(report, &[key])?;
    Ok(text.strip_prefix(SIGNED_LABEL).and_then(|text| text.strip_prefix('\n')))
}

/// What a drill has shown.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Drill {
    /// The backup that was restored, when it was made, and how old it was.
    pub backup: String,
    pub made: Timestamp,
    pub age_seconds: i64,
    /// When the drill was held, and how long the restore took.
    pub held: Timestamp,
    pub milliseconds: u64,
    /// The slot of the root key that has opened it.
    pub opened_by: String,
    /// Records, each of which was opened.
    pub records: u64,
    /// What the check of its log says, and of what is known of the log elsewhere.
    pub log: String,
    pub known_elsewhere: Vec<String>,
    /// Where the report is, signed with the key of the log that was restored.
    #[serde(skip)]
    pub report: PathBuf,
}

/// Restores a backup into a directory that is thrown away afterwards, opens everything, and writes a signed report into
/// the data directory. May block for long.
///
/// # Errors
/// The backup would not restore.
pub fn drill(config: &Config, place: &mut Place, wish: &Wish, handle: &Handle) -> Result<Drill, BackupError> {
    let began = Instant::now();
    let dir = &config.data_dir;
    files::make_dir(dir).map_err(io_error(dir))?;
    let chain = open(config, place, wish, handle)?;
    let scratch = tempfile::Builder::new().prefix("jomae-drill").tempdir_in(dir).map_err(io_error(dir))?;
    let mut target = config.clone();
    target.data_dir = scratch.path().join("data");
    let Filled { restored, vault, .. } = restore_into(&target, place, wish, &chain, None, handle)?;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let newest = chain.newest()?;
    let known_elsewhere = match newest.log.as_ref().and_then(|log| VerifierKey::parse(&log.key).ok()) {
        Some(key) => compare(config, &target, &key)?,
        None => Vec::new(),
    };
    let held = gateway::now();
    let mut drill = Drill {
        backup: newest.id.clone(),
        made: Timestamp(newest.made),
        age_seconds: held.0 - newest.made,
        held,
        milliseconds,
        opened_by: chain.holder.name().to_owned(),
        records: restored.records,
        log: restored.log.unwrap_or_else(|why| format!("DAMAGED: {why}")),
        known_elsewhere,
        report: PathBuf::new(),
    };
    let text = serde_json::to_string_pretty(&drill).map_err(|error| BackupError::Other(error.to_string()))?;
    let text = format!("{SIGNED_LABEL}\n{text}\n");
    let signed = match audit::signer(&vault, None)? {
        Some(signer) => signer.sign(&text).map_err(|error| BackupError::Other(error.to_string()))?,
        None => text,
    };
    let reports = dir.join(REPORTS);
    files::private_dir(&reports).map_err(io_error(&reports))?;
    drill.report = reports.join(format!("{}.txt", held.to_string().replace(':', "")));
    files::write_private(&drill.report, signed.as_bytes()).map_err(io_error(&drill.report))?;
    Ok(drill)
}

/// Whether the log that was restored is the beginning of the one that goes on here, and has all that witnesses have seen by then.
fn compare(config: &Config, target: &Config, key: &VerifierKey) -> Result<Vec<String>, BackupError> {
    let failed = |error: &dyn std::fmt::Display| BackupError::Log(error.to_string());
    let restored = audit_dir(&target.data_dir);
    let live = audit_dir(&config.data_dir);
    let mut told = Vec::new();
    let note = jomae_log::newest_note(&restored).map_err(io_error(&restored))?;
    let Some(size) = note.as_ref().and_then(|note| Some(Checkpoint::open(note, key).ok()?.size)) else {
        return Ok(told);
    };
    let live_key = verify::files::read_key(&live).ok().flatten();
    if let (Some(note), true) = (note, live_key.is_some_and(|live| live == *key)) {
        let report = verify::verify(&live, key, &[note]).map_err(|error| failed(&error))?;
        if let Some(finding) = report.findings.first() {
            return Err(failed(finding));
        }
        told.push(format!("the log of this service goes on from its {size} events"));
    }
    if let Some(witness) = &config.audit.witness_file {
        let content = files::read_configured(witness, WITNESS_BYTES_MAX).map_err(io_error(witness))?;
        let content = String::from_utf8_lossy(&content);
        let (notes, _) = jomae_log::checkpoint::split_file(&content);
        let seen = notes.into_iter().filter(|note| Checkpoint::open(note, key).is_ok_and(|seen| seen.size <= size));
        let seen: Vec<String> = seen.map(str::to_owned).collect();
        let report = verify::verify(&restored, key, &seen).map_err(|error| failed(&error))?;
        if let Some(finding) = report.findings.first() {
            return Err(failed(finding));
        }
        told.push(format!("it has all of {} checkpoints in {}", seen.len(), witness.display()));
    }
    Ok(told)
}

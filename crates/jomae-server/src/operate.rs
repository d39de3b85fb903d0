//! Operations on a data directory: restore a copy, examine, make a new domain key.

mod conditions;
pub mod copy;
mod identity;
pub(crate) mod unfinished;
pub(crate) use identity::missing;
use unfinished::{Unfinished, UnfinishedError};

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use jomae_api::time::Timestamp;
use jomae_core::{
    cluster::record::NodeName, error::Fault, form, keyring::Keyring, root::Slots, store::Store, tx::Vault,
    whole::WholeStore,
};
use jomae_log::{FileError, verify};

use crate::{
    audit,
    backup::signer,
    bootstrap::{OpenedStore, StartError, audit_dir, expect_file, node_of, open_existing_etcd, store_path},
    certificates, cluster,
    config::{Config, RootKeyProvider, StoreKind},
    files, gateway, guard, hsm, root_key, shredding,
    store::{BackupError, Options, SqliteStore, backup_file, check_file, slots_of_copy},
    whole,
};

/// Damaged records that are named one by one.
pub(crate) const PROBLEMS_MAX: usize = 20;

/// Why an operation was not done; one line.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Backup(#[from] BackupError),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Unfinished(#[from] UnfinishedError),
    #[error("{0}")]
    Audit(#[from] FileError),
    #[error(
        "a plain copy, as versions before have made them, is restored to a store in a file: leave out store.kind = \"etcd\", \
         then bring it to etcd with `jomae store copy`"
    )]
    RestoreToEtcd,
    #[error("the store holds no records")]
    NoRecords,
    #[error("the store is in use by {}: stop every node first", .0.join(", "))]
    Served(Vec<String>),
    #[error("{} exists already and is not empty; nothing was overwritten", .0.display())]
    NotEmpty(PathBuf),
    #[error("{} exists already and is another root key; it was left as it is", .0.display())]
    OtherRootKey(PathBuf),
    #[error("{} is not a backup: it has no store.db", .0.display())]
    NotABackup(PathBuf),
    #[error(
        "the root key is missing: name its file, which is not in the backup, with --root-key FILE (by default root.key in \
         the data directory that was backed up); {} does not exist", .0.display()
    )]
    NoRootKey(PathBuf),
    #[error(
        "the root key of this backup is a passphrase: name the configuration of the service with --config, or one with \
         root_key.provider = \"passphrase\"; the passphrase comes from its file or from {}",
        root_key::PASSPHRASE_VARIABLE
    )]
    PassphraseNeeded,
    #[error(
        "the root key of this backup is a file, and the configuration names a passphrase: leave it out, and name the file \
         with --root-key FILE"
    )]
    NoPassphrase,
    #[error(
        "the root key of this backup is opened by {0}: name one of these as root_key.provider in the configuration"
    )]
    OtherProviders(String),
    #[error("the identity in the backup: {0}")]
    Identity(String),
    #[error("the audit log of the backup: {0}; --accept-damaged-audit-log restores it as it is")]
    DamagedLog(String),
    #[error("the backup does not open with this root key, or is damaged: {0}")]
    Unusable(String),
    #[error("the backup: {0}; --accept-rollback restores it as it is")]
    Rollback(String),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OperateError {
    let path = path.to_owned();
    move |source| OperateError::Io { path, source }
}

impl From<Fault> for OperateError {
    fn from(fault: Fault) -> Self {
        Self::Start(fault.into())
    }
}

pub(crate) fn refuse_if_used(dir: &Path) -> Result<(), OperateError> {
    unfinished::refuse(dir)?;
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            // A restore that the token has refused leaves that behind, and is to be run again.
            let is_note =
                |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() == hsm::PIN_NOTE_FILE);
            if entries.all(is_note) { Ok(()) } else { Err(OperateError::NotEmpty(dir.to_owned())) }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error(dir)(error)),
    }
}

/// What a restore puts up with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accepting {
    /// A log that is not what it was.
    pub damaged_log: bool,
    /// A store that is older than its log promises, or was changed beside the service.
    pub rollback: bool,
    /// Key material that is gone for good with its shredding key.
    pub shredded: bool,
}

/// What a restore has found.
pub struct Restored {
    /// Records of the store; every one was opened.
    pub records: u64,
    /// The audit log, or what is wrong with it, if that was accepted.
    pub log: Result<String, String>,
    /// What the store lacks of what its log promises, or what is wrong with it as a whole, if that was accepted.
    pub rollback: Option<String>,
    /// What the first start needs beside it, or makes anew, and what to do.
    pub missing: Vec<String>,
    /// What else there is to tell.
    pub notes: Vec<String>,
    /// The backup that was restored, and when it was made.
    pub of: Option<(String, Timestamp)>,
    /// Set if the configuration does not open by itself what was restored.
    pub unopened: Option<Unopened>,
}

/// What the start of a restored service would be refused for.
pub struct Unopened {
    pub why: String,
    /// A name that no slot of the root key has.
    pub free_slot: String,
}

/// Makes a data directory from a backup as versions before have made them, a copy of store and log, and the root key.
/// Everything is opened, and the audit log is checked, before it is called done; on a failure what was made is removed again.
pub async fn restore(
    backup: &Path,
    root_key_file: Option<&Path>,
    accepted: Accepting,
    config: &Config,
) -> Result<Restored, OperateError> {
    if config.store.kind == StoreKind::Etcd {
        return Err(OperateError::RestoreToEtcd);
    }
    let dir = &config.data_dir;
    let store = backup.join("store.db");
    if !files::is_file(&store).map_err(io_error(&store))? {
        return Err(OperateError::NotABackup(backup.to_owned()));
    }
    refuse_if_used(dir)?;
    expect_root_key(backup, root_key_file, config)?;
    let unfinished = Unfinished::begin(dir)?;
    let restored = restore_into(backup, root_key_file, accepted, config).await;
    let restored = restored.and_then(|restored| unfinished.end().map(|()| restored).map_err(OperateError::from));
    if restored.is_err() {
        // It was absent or empty before.
        let _ = fs::remove_dir_all(dir);
    }
    restored
}

/// Before anything is made: whoever restores is told what is needed, not what a service says that has lost its key.
fn expect_root_key(backup: &Path, root_key_file: Option<&Path>, config: &Config) -> Result<(), OperateError> {
    let providers: Vec<String> = if let Some(slots) = slots_of_copy(&backup.join("store.db"))? {
        slots.slots().iter().map(|slot| slot.provider.clone()).collect()
    } else {
        // Of before there were slots: one provider, and which one shows.
        let params = backup.join("root.params");
        let by_passphrase = files::is_file(&params).map_err(io_error(&params))?;
        let provider = if by_passphrase { RootKeyProvider::Passphrase } else { RootKeyProvider::File };
        vec![provider.name().to_owned()]
    };
    let opens = |provider: &RootKeyProvider| providers.iter().any(|there| there == provider.name());
    if !config.root_key.providers.iter().any(opens) {
        let (needs, has) = (opens(&RootKeyProvider::Passphrase), config.root_key.has(RootKeyProvider::Passphrase));
        return Err(match providers.as_slice() {
            [_] if needs => OperateError::PassphraseNeeded,
            [_] if has && opens(&RootKeyProvider::File) => OperateError::NoPassphrase,
            _ => OperateError::OtherProviders(providers.join(", ")),
        });
    }
    if root_key_file.is_some() || config.root_key.providers != [RootKeyProvider::File] {
        return Ok(());
    }
    let path = config.root_key_file();
    match files::about_followed(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OperateError::NoRootKey(path)),
        _ => Ok(()),
    }
}

async fn restore_into(
    backup: &Path,
    root_key_file: Option<&Path>,
    accepted: Accepting,
    config: &Config,
) -> Result<Restored, OperateError> {
    let dir = &config.data_dir;
    let log_dir = audit_dir(dir);
    files::private_dir(&log_dir).map_err(io_error(dir))?;
    if let Some(from) = root_key_file {
        let key = files::read_configured(from, jomae_crypto::root::KEY_FILE_BYTES_MAX).map_err(io_error(from))?;
        let to = config.root_key_file();
        // The configuration may place it outside the new directory, where the key of another store can be.
        match files::read_configured(&to, jomae_crypto::root::KEY_FILE_BYTES_MAX) {
            Ok(there) if there == key => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                files::write_private(&to, &key).map_err(io_error(&to))?;
            }
            _ => return Err(OperateError::OtherRootKey(to)),
        }
    }
    let params = backup.join("root.params");
    if files::is_file(&params).map_err(io_error(&params))? {
        let content = files::read_limited_of_others(&params, 4096).map_err(io_error(&params))?;
        let to = dir.join("root.params");
        files::write_private(&to, &content).map_err(io_error(&to))?;
    }
    backup_file(&backup.join("store.db"), &store_path(dir))?;
    jomae_log::copy(&backup.join("audit"), &log_dir)?;
    let OpenedRecords { records, problems, vault, whole } = open_everything(config, &store_path(dir)).await?;
    if let Some(first) = problems.first() {
        return Err(OperateError::Unusable(first.clone()));
    }
    let log = examine_log(&log_dir, &vault, None);
    if let (Err(why), false) = (&log, accepted.damaged_log) {
        return Err(OperateError::DamagedLog(why.clone()));
    }
    let rollback = expect_whole(&log_dir, &vault, &whole, accepted).await?;
    let regions = config.checked_regions().map_err(StartError::from)?;
    let region = regions.first().ok_or_else(|| Fault::internal("no region"))?;
    let had = shredding::after_restore(config, &vault, region, accepted.shredded, true).await;
    let notes = had.map_err(StartError::from)?;
    identity::open(backup, config, &vault)?;
    Ok(Restored { records, log, rollback, missing: identity::missing(config)?, notes, of: None, unopened: None })
}

/// Compares a restored store with the hash over its records, and with what its log promises. What is missing since the log
/// went on while the backup was made is let pass, as are things that the operator accepts: from now on the store counts as it is,
/// and the first start tells of it in the log.
pub(crate) async fn expect_whole(
    log_dir: &Path,
    vault: &Vault,
    whole: &WholeStore,
    accepted: Accepting,
) -> Result<Option<String>, OperateError> {
    let found = whole.check(|_| true).map_err(Fault::from)?;
    let changes = found.as_ref().ok().and_then(|found| found.state).map_or(0, |state| state.changes);
    let promised = audit::notes(log_dir).and_then(|notes| audit::promised(&notes, vault, None, changes));
    // A log that cannot be read was accepted above, if at all.
    let (promised, passed) = match promised {
        Err(_) if accepted.damaged_log => (None, None),
        promised => promised.map_err(StartError::Audit)?,
    };
    let Err(why) = whole::judge(&found, promised.as_ref()) else { return Ok(None) };
    let what = whole::without_advice(&why);
    if !accepted.rollback && !whole::is_of_one_backup(&why, promised.as_ref(), passed) {
        return Err(OperateError::Rollback(what));
    }
    form::raise(vault).await?;
    whole::accept(whole, vault, &found, promised.as_ref()).await?;
    Ok(Some(what))
}

/// Opens every record of a store that nobody else has open.
async fn open_everything(config: &Config, store: &Path) -> Result<OpenedRecords, OperateError> {
    open_records(config, Arc::new(SqliteStore::open(store, &Options::default()).map_err(StartError::from)?)).await
}

/// A store whose records were opened.
struct OpenedRecords {
    records: u64,
    /// Those that do not open.
    problems: Vec<String>,
    vault: Vault,
    whole: Arc<WholeStore>,
}

async fn open_records(config: &Config, store: Arc<dyn Store>) -> Result<OpenedRecords, OperateError> {
    // An empty store would be given a key.
    if store.scan("", None, 1).map_err(Fault::from)?.is_empty() {
        return Err(OperateError::NoRecords);
    }
    let root = root_key::open(config, &*store).await.map_err(StartError::from)?;
    let keyring = Arc::new(Keyring::open(&*store, &root.root).await.map_err(StartError::from)?);
    let whole = WholeStore::open(store, Arc::clone(&keyring), None)?;
    let vault = Vault::new(Arc::clone(&whole) as Arc<dyn Store>, keyring, 1);
    let (records, problems) = vault.check(PROBLEMS_MAX)?;
    Ok(OpenedRecords { records, problems, vault, whole })
}

/// Checks the audit log that belongs to a store, or to a node of one; what was found, or what is wrong with it.
pub(crate) fn examine_log(dir: &Path, vault: &Vault, node: Option<&NodeName>) -> Result<String, String> {
    let examined = audit::examine(dir, vault, node).map_err(|error| error.to_string())?;
    let Some(audit::Examined { report, extent }) = examined else {
        return Ok("the store knows of no log yet".to_owned());
    };
    said_of(dir, &report)?;
    let tail = extent.authentic.saturating_sub(report.covered);
    let aside = match extent.events - extent.authentic {
        0 => String::new(),
        events => format!("; {events} behind them without a proof, which the next start sets aside"),
    };
    Ok(format!(
        "{} events, {} of them covered by the newest of {} checkpoints, {tail} behind it by a MAC{aside}",
        extent.events, report.covered, report.checkpoints
    ))
}

/// One finding of `jomae doctor`.
pub struct Finding {
    pub what: &'static str,
    /// What is well, or what is wrong and how to mend it.
    pub result: Result<String, String>,
}

/// Examines a data directory, in use or not, and changes nothing in it but what is noted of a PIN, if a token opens the records.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let dir = &config.data_dir;
    let mut findings = Vec::new();
    let mut note = |what, result| findings.push(Finding { what, result });

    note("configuration", conditions::configuration(config));
    note("data directory", unfinished::refuse(dir).map_err(|error| error.to_string()).and_then(|()| private(dir)));
    let open = guard::findings(config);
    let open: Vec<String> = open.iter().map(ToString::to_string).collect();
    note(
        "owners and modes",
        if open.is_empty() { Ok("all secrets are private".to_owned()) } else { Err(open.join("; ")) },
    );
    let path = store_path(dir);
    // Before the store is looked at: a service that goes on with both promises no more than it has.
    let notes = audit::notes(&audit_dir(dir)).unwrap_or_default();
    let OfStore { records, log, shredding, slots } = match config.store.kind {
        StoreKind::Sqlite => {
            note("store file", examine_file(dir));
            examine_records(config, &notes, &path).await
        }
        StoreKind::Etcd => match open_existing_etcd(config) {
            Ok(store) => {
                let lag = store.lag();
                note("store in etcd", Ok(format!("{} records, {} bytes", lag.entries, lag.bytes)));
                examine_vault(config, &notes, store, NodeName::new(&config.cluster.node).as_ref()).await
            }
            Err(error) => {
                note("store in etcd", Err(error.to_string()));
                OfStore::unread("they cannot be read".to_owned())
            }
        },
    };
    note("records", records);
    if let Some(slots) = slots {
        note("root key", slots);
    }
    if let Some(shredding) = shredding {
        note("shredding keys", shredding);
    }
    // By its files alone, then by what the store knows of it.
    note(
        "audit log",
        examine_audit(&audit_dir(dir)).and_then(|found| log.map_or(Ok(()), |log| log.map(drop)).map(|()| found)),
    );
    note("certificate", certificates::examine(config, SystemTime::now()).map_err(|error| error.to_string()));
    if let Some(token) = config.hsm.clone() {
        let config = config.clone();
        let examined = tokio::task::spawn_blocking(move || hsm::examine(&config, &token)).await;
        note("token", examined.unwrap_or_else(|error| Err(error.to_string())));
    }
    if let Some(to) = &config.backup.to {
        note("backups", conditions::backups(config, to).await);
    }
    note("addresses", conditions::addresses(config).await);
    note("free space", conditions::space(dir));
    note("clock", conditions::clock(&path));
    note("descriptors", conditions::descriptors(config));
    findings
}

fn private(dir: &Path) -> Result<String, String> {
    let about = files::check_data_dir(dir)
        .map_err(|error| error.to_string())
        .and_then(|()| files::about_followed(dir).map_err(|error| format!("{}: {error}", dir.display())))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(format!("{} can be read by other users; run: chmod 700 {}", dir.display(), dir.display()));
    }
    Ok(format!("{} is private", dir.display()))
}

fn examine_file(data_dir: &Path) -> Result<String, String> {
    expect_file(data_dir).map_err(|error| error.to_string())?;
    let report = check_file(&store_path(data_dir)).map_err(|error| error.to_string())?;
    if report.problems.is_empty() {
        Ok(format!("{} records, {} bytes, no damage", report.records, report.bytes))
    } else {
        Err(format!("{}; restore a backup", report.problems.join("; ")))
    }
}

/// What is well of a store, and of what belongs to it.
struct OfStore {
    records: Result<String, String>,
    /// If the records can be opened.
    log: Option<Result<String, String>>,
    /// Likewise, and if there are any.
    shredding: Option<Result<String, String>>,
    /// The slots of the root key.
    slots: Option<Result<String, String>>,
}

impl OfStore {
    const fn unread(why: String) -> Self {
        Self { records: Err(why), log: None, shredding: None, slots: None }
    }
}

/// Of a copy, since a server may have the store open.
async fn examine_records(config: &Config, notes: &[String], store: &Path) -> OfStore {
    let copied = || {
        let scratch = tempfile::Builder::new().prefix("jomae-doctor").tempdir_in(&config.data_dir);
        let scratch = scratch.map_err(|error| format!("no room for a copy in the data directory: {error}"))?;
        let copy = scratch.path().join("store.db");
        backup_file(store, &copy).map_err(|error| error.to_string())?;
        let store = SqliteStore::open(&copy, &Options::default()).map_err(|error| error.to_string())?;
        Ok((Arc::new(store), scratch))
    };
    match copied() {
        Ok((store, _scratch)) => examine_vault(config, notes, store, None).await,
        Err(why) => OfStore::unread(why),
    }
}

/// Opens every record; and if that can be done, checks that the log goes on from what the store knows.
async fn examine_vault(config: &Config, notes: &[String], store: Arc<dyn Store>, node: Option<&NodeName>) -> OfStore {
    match open_records(config, store).await {
        Ok(OpenedRecords { records, problems, vault, whole }) => {
            let log = examine_log(&audit_dir(&config.data_dir), &vault, node);
            let records = if problems.is_empty() {
                examine_whole(notes, &vault, &whole, node)
                    .map(|whole| format!("all {records} open with the root key; {whole}"))
            } else {
                Err(format!("{}; restore a backup", problems.join("; ")))
            };
            let slots = examine_slots(&vault).map_err(|fault| fault.to_string());
            let shredding = shredding::examine(config, &vault, gateway::now());
            OfStore { records, log: Some(log), shredding, slots: Some(slots) }
        }
        Err(why) => OfStore::unread(why.to_string()),
    }
}

/// Which slots of the root key there are, and whether whoever restores with one knows whose a backup is.
fn examine_slots(vault: &Vault) -> Result<String, Fault> {
    let Some(slots) = Slots::read(vault.store())? else {
        return Ok("it has no slots; the first jomae root add, rotate or remove makes one".to_owned());
    };
    let names: Vec<String> = slots.slots().iter().map(root_key::named).collect();
    let names = format!("opened by {}", names.join(", "));
    let Some(signer) = signer::signer(vault)? else {
        return Ok(format!("{names}; no backup was made yet to vouch for"));
    };
    let key = signer.verifier().to_string();
    let silent: Vec<String> =
        slots.slots().iter().filter(|slot| !slot.names_backup_key(&key)).map(root_key::named).collect();
    Ok(if silent.is_empty() {
        format!("{names}; each vouches for backups")
    } else {
        format!("{names}; not vouching for backups, so that a restore asks for the log's key: {}", silent.join(", "))
    })
}

/// What is wrong with the store of a stopped service as a whole, and with its log.
pub(crate) fn warnings(config: &Config, vault: &Vault, whole: &WholeStore) -> Vec<String> {
    let dir = audit_dir(&config.data_dir);
    let notes = audit::notes(&dir).unwrap_or_default();
    let log = examine_log(&dir, vault, None).map_err(|why| format!("the audit log: {why}"));
    let store = examine_whole(&notes, vault, whole, None).map_err(|why| format!("the store: {why}"));
    [log, store].into_iter().filter_map(Result::err).collect()
}

/// Compares the store as a whole with what is known of it.
fn examine_whole(
    notes: &[String],
    vault: &Vault,
    whole: &WholeStore,
    node: Option<&NodeName>,
) -> Result<String, String> {
    let (promised, _) = audit::promised(notes, vault, node, 0).map_err(|error| error.to_string())?;
    let found = whole.check(|_| true).map_err(|error| error.to_string())?;
    whole::judge(&found, promised.as_ref()).map_err(|why| whole::without_advice(&why))?;
    Ok(match found.ok().and_then(|found| found.state) {
        Some(state) => format!("as a whole they are those of {} changes", state.changes),
        None => "no hash over all of them was begun yet".to_owned(),
    })
}

fn examine_audit(dir: &Path) -> Result<String, String> {
    let Some(key) = verify::files::read_key(dir).map_err(|error| error.to_string())? else {
        let log = jomae_log::has_log(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        if log {
            return Err(format!("{}: key.pub is missing; the next start writes it again", dir.display()));
        }
        return Ok("no events yet".to_owned());
    };
    said_of(dir, &verify::verify(dir, &key, &[]).map_err(|error| error.to_string())?)
}

/// What a check has found, in one line.
fn said_of(dir: &Path, report: &verify::Report) -> Result<String, String> {
    let Some(first) = report.findings.first() else {
        // Whether that was the retention, only the operator can know.
        let gone = match report.stored_from {
            0 => String::new(),
            first => format!("; those before number {first} are no longer stored"),
        };
        return Ok(format!("{} events, {} of them covered by a checkpoint{gone}", report.events, report.covered));
    };
    let more = report.findings.len() as u64 - 1 + report.findings_more;
    let more = if more > 0 { format!(" (and {more} findings more)") } else { String::new() };
    Err(format!("{}: {first}{more}", dir.display()))
}

/// Makes a new domain key version; the server must be stopped. Gives its number.
pub async fn rotate_domain_key(config: &Config) -> Result<u32, OperateError> {
    let opened = OpenedStore::open_existing(config)?;
    let store = opened.store();
    if config.store.kind == StoreKind::Etcd {
        let live = cluster::live_nodes(&*store, config.cluster.lease_secs).await?;
        if !live.is_empty() {
            return Err(OperateError::Served(live));
        }
    }
    if store.scan("", None, 1).map_err(Fault::from)?.is_empty() {
        return Err(OperateError::NoRecords);
    }
    let root = root_key::open(config, &*store).await.map_err(StartError::from)?.root;
    let keyring = Arc::new(Keyring::open(&*store, &root).await?);
    let whole = WholeStore::open(store, Arc::clone(&keyring), node_of(config).as_ref())?;
    Ok(keyring.rotate(&*whole, &root).await?)
}

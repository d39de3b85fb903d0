//! `jomae backup`, `jomae restore`, `jomae drill`.

use std::path::Path;

use jomae_api::time::Timestamp;
use jomae_server::{
    backup::{self, BackupError, Choice, Place, Whose, Wish},
    bootstrap::shell_quoted,
    config::{Config, StoreKind},
    operate::{self, Accepting, Restored, Unopened},
    operator,
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{
    account::failure,
    args::{Backup, Chosen, Drill, Restore, Show},
    audit::given_key,
    connect::block_on,
    output::{self, Failure},
    serve, show,
};

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
fn local(error: BackupError) -> Failure {
    Failure::Local(error.to_string())
}

/// What may block for long, beside a runtime.
fn aside<T: Send + 'static>(
    act: impl FnOnce(&Handle) -> Result<T, BackupError> + Send + 'static,
) -> Result<T, Failure> {
    block_on(async {
        let handle = Handle::current();
        let done = spawn_blocking(move || act(&handle)).await;
        done.map_err(|error| Failure::Local(error.to_string()))?.map_err(local)
    })
}

pub fn run(command: &Backup) -> Result<(), Failure> {
    match command {
        Backup::Create { to, whole, show, config } => {
            let config = serve::config(config)?;
            let mut made =
                block_on(async { operator::back_up(&config, to.as_deref(), *whole).await.map_err(failure) })?;
            let warnings = made.as_object_mut().and_then(|made| made.remove("Warnings"));
            for warning in warnings.as_ref().and_then(Value::as_array).into_iter().flatten() {
                let text = warning.as_str().unwrap_or_default();
                output::note(&format!("WARNING: the backup is made; {text}"));
            }
            show::answer(show, &made)
        }
        Backup::List { from, show, config } => list(show, &serve::config(config)?, from.as_deref()),
        Backup::Verify { chosen, show, config } => {
            let (config, wish) = (serve::config(config)?, wish(chosen, Accepting::default())?);
            let place = chosen.from.clone();
            let checked = aside(move |handle| {
                let mut place = Place::open(&config, place.as_deref(), false)?;
                backup::verify(&config, &mut place, &wish, &std::env::temp_dir(), handle)
            })?;
            show::answer(show, &serde_json::to_value(&checked).map_err(unwritten)?)
        }
    }
}

fn list(show: &Show, config: &Config, from: Option<&str>) -> Result<(), Failure> {
    let (config, from) = (config.clone(), from.map(str::to_owned));
    let listed = aside(move |_| backup::list(&mut Place::open(&config, from.as_deref(), false)?))?;
    let rows = listed.iter().map(serde_json::to_value).collect::<Result<Vec<Value>, _>>().map_err(unwritten)?;
    show::list(
        show,
        &["BACKUP", "MADE", "WHOLE", "RECORDS", "BYTES", "OPENED BY"],
        &["Id", "Made", "IsWhole", "Records", "Bytes", "OpenedBy"],
        rows,
    )
}

pub fn restore(restore: &Restore) -> Result<(), Failure> {
    let config = serve::config(&restore.config)?;
    let accepting = Accepting {
        damaged_log: restore.accept_damaged_audit_log,
        rollback: restore.accept_rollback,
        shredded: restore.accept_shredded,
    };
    let from = restore.chosen.from.clone();
    // As versions before have made them: a copy of the store, and of the log.
    let copy = from.as_deref().map(Path::new).filter(|dir| dir.join("store.db").exists());
    let wish = wish(&restore.chosen, accepting)?;
    let restored = if let Some(copy) = copy {
        backup::expect_copy_is_ours(copy, &config, &wish).map_err(local)?;
        let root_key = restore.chosen.root_key.as_deref();
        block_on(async {
            let restored = operate::restore(copy, root_key, accepting, &config).await;
            restored.map_err(|error| Failure::Local(error.to_string()))
        })?
    } else {
        let config = config.clone();
        aside(move |handle| {
            let mut place = Place::open(&config, from.as_deref(), false)?;
            backup::restore(&config, &mut place, &wish, handle)
        })?
    };
    tell(&restored, restore, &config)
}

fn tell(restored: &Restored, restore: &Restore, config: &Config) -> Result<(), Failure> {
    if let Some((id, made)) = &restored.of {
        output::line(&format!("backup {id}, made at {made}"))?;
    }
    match &restored.log {
        Ok(log) => output::line(&format!("audit log: {log}"))?,
        Err(why) => output::line(&format!("audit log: DAMAGED, and restored as it is: {why}"))?,
    }
    if let Some(rollback) = &restored.rollback {
        output::line(&format!("store: restored as it is, and an event will say so: {rollback}"))?;
    }
    for missing in &restored.missing {
        output::line(&format!("missing: {missing}"))?;
    }
    for note in &restored.notes {
        output::line(&format!("note: {note}"))?;
    }
    let (dir, records) = (config.data_dir.display(), restored.records);
    output::line(&if config.store.kind == StoreKind::Etcd {
        format!(
            "restored {records} records to etcd, every one opened before and read back after, and the audit log to {dir}"
        )
    } else {
        format!("restored {records} records to {dir}, every one opened")
    })?;
    for first in before_start(restored, restore, config) {
        output::line(&format!("before the start: {first}"))?;
    }
    let new_log = if restored.log.is_err() { " --new-audit-log" } else { "" };
    output::line(&format!("Start with: jomae serve{}{new_log}", of_service(restore, config)))
}

/// The options that name the restored service.
fn of_service(restore: &Restore, config: &Config) -> String {
    let named = restore.config.config.as_deref().map(|file| format!(" --config {}", shell_path(file)));
    format!("{} --data-dir {}", named.unwrap_or_default(), shell_path(&config.data_dir))
}

fn shell_path(path: &Path) -> String {
    shell_quoted(&path.display().to_string())
}

/// What must be done first, so that the start is not refused.
fn before_start(restored: &Restored, restore: &Restore, config: &Config) -> Vec<String> {
    let mut first = Vec::new();
    if restored.log.is_err() {
        let log = config.data_dir.join("audit");
        first.push(format!(
            "the service does not go on with this audit log: keep it elsewhere, and begin a new one with --new-audit-log, the first \
             time only: mv {} {}",
            shell_path(&log),
            shell_path(&config.data_dir.with_extension("damaged-audit"))
        ));
    }
    let Some(Unopened { why, free_slot }) = &restored.unopened else { return first };
    let key_file = config.root_key_file();
    let Chosen { shares, identities, root_key, .. } = &restore.chosen;
    let names_file = "name \"file\" in root_key.provider of the configuration";
    first.push(format!("what the configuration names does not open the store: {why}"));
    first.push(if root_key.is_some() {
        format!("{names_file}: {} opens it", shell_path(&key_file))
    } else if config.store.kind == StoreKind::Etcd {
        "let root_key.provider have \"shares\", and root_key.share_files name the shares, for one start; then make a slot that \
         stays with jomae root add, and take the shares away"
            .to_owned()
    } else {
        let given = shares.iter().map(|path| format!(" --share {}", shell_path(path)));
        let given: String =
            given.chain(identities.iter().map(|path| format!(" --identity {}", shell_path(path)))).collect();
        format!(
            "jomae root add file --name {free_slot} --to {}{given}{}; then {names_file}. A new token or another KMS gets \
             its slot likewise, with jomae root add pkcs11 or kms, and needs no other provider",
            shell_path(&key_file),
            of_service(restore, config)
        )
    });
    first
}

pub fn drill(drill: &Drill) -> Result<(), Failure> {
    let (config, wish, place) =
        (serve::config(&drill.config)?, wish(&drill.chosen, Accepting::default())?, drill.chosen.from.clone());
    let (held, report) = aside(move |handle| {
        let mut place = Place::open(&config, place.as_deref(), false)?;
        let held = backup::drill(&config, &mut place, &wish, handle)?;
        let report = held.report.display().to_string();
        Ok((held, report))
    })?;
    let mut shown = serde_json::to_value(&held).map_err(unwritten)?;
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("Report".to_owned(), json!(report));
    }
    show::answer(&drill.show, &shown)
}

fn wish(from: &Chosen, accepting: Accepting) -> Result<Wish, Failure> {
    let choice = match (&from.backup, &from.at) {
        (Some(id), _) => Choice::Id(id.clone()),
        (None, Some(at)) => Choice::At(
            Timestamp::parse(at)
                .ok_or_else(|| Failure::Usage(format!("{at} is no moment such as 2026-11-29T06:00:00Z")))?,
        ),
        (None, None) => Choice::Newest,
    };
    Ok(Wish {
        choice,
        root_key: from.root_key.clone(),
        shares: from.shares.clone(),
        identities: from.identities.clone(),
        whose: match from.log_keys.as_slice() {
            [] if from.accept_unknown_log => Whose::Anybodys,
            [] => Whose::Ours,
            given => Whose::SignedBy(given.iter().map(|given| given_key(given)).collect::<Result<_, _>>()?),
        },
        accepting,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
fn unwritten(error: serde_json::Error) -> Failure {
    Failure::Local(error.to_string())
}

//! Operations on a data directory: doctor, store, domain-key.

use std::{io::IsTerminal as _, path::Path};

use indicatif::{ProgressBar, ProgressStyle};
use jomae_server::{
    config::Config,
    operate::{
        self, OperateError,
        copy::{self, Step},
    },
};

use crate::{
    args::{ConfigArgs, DomainKey, Store},
    connect::block_on,
    output::{self, Failure},
    serve,
};

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
fn failure(error: OperateError) -> Failure {
    Failure::Local(error.to_string())
}

pub fn backup(backup: &Backup) -> Result<(), Failure> {
    let config = serve::config(&backup.config)?;
    let report =
        block_on(async { operate::back_up(&config, &backup.to, backup.with_identity).await.map_err(failure) })?;
    let key = match config.root_key.provider {
        RootKeyProvider::File => format!("The root key is not in it: keep {} safe", config.root_key_file().display()),
        RootKeyProvider::Passphrase => "The passphrase of the root key is not in it: keep it safe".to_owned(),
    };
    output::line(&format!(
        "backed up {} to {}: store at revision {} ({} bytes), {} audit file(s){}. {key}, and elsewhere.",
        config.data_dir.display(),
        backup.to.display(),
        report.revision,
        report.store_bytes,
        report.audit_files,
        report.identity.iter().flat_map(|name| [", ", name, " (sealed)"]).collect::<String>(),
    ))
}

pub fn restore(restore: &Restore) -> Result<(), Failure> {
    let config = serve::config(&restore.config)?;
    block_on(async {
        let accepting = Accepting { damaged_log: restore.accept_damaged_audit_log, rollback: restore.accept_rollback };
        let restored = operate::restore(&restore.from, restore.root_key.as_deref(), accepting, &config);
        let restored = restored.await.map_err(failure)?;
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
        output::line(&format!(
            "restored {} records to {}, every one opened. Start with: jomae serve --data-dir {}",
            restored.records,
            config.data_dir.display(),
            config.data_dir.display()
        ))
    })
}

pub fn doctor(config: &ConfigArgs) -> Result<(), Failure> {
    let config = serve::config(config)?;
    block_on(async {
        let findings = operate::examine(&config).await;
        let mut wrong = 0;
        for finding in &findings {
            match &finding.result {
                Ok(text) => output::line(&format!("ok     {}: {text}", finding.what))?,
                Err(text) => {
                    wrong += 1;
                    output::line(&format!("WRONG  {}: {text}", finding.what))?;
                }
            }
        }
        if wrong == 0 { Ok(()) } else { Err(Failure::Local(format!("{wrong} thing(s) to mend"))) }
    })
}

pub fn store(command: &Store) -> Result<(), Failure> {
    let Store::Copy { from, to, quiet } = command;
    let read = |path: &Path| Config::read(path).map_err(|error| Failure::Local(error.to_string()));
    let (from, to) = (read(from)?, read(to)?);
    let bar = (!quiet && std::io::stderr().is_terminal()).then(ProgressBar::no_length);
    let mut shown = None;
    let mut on_progress = |step: Step, done: u64, total: Option<u64>| {
        let Some(bar) = &bar else { return };
        if shown.replace(step) != Some(step) {
            bar.reset();
            bar.set_style(style(step));
        }
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    };
    let copied = block_on(async {
        copy::copy(&from, &to, &mut on_progress).await.map_err(|error| Failure::Local(error.to_string()))
    });
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let copied = copied?;
    let left = match copied.left {
        0 => String::new(),
        left => format!("; {left} that only a cluster needs were left out"),
    };
    let log = match &copied.log {
        Some((old, new)) => format!(" Before the first start, move {} to {}.", old.display(), new.display()),
        None => String::new(),
    };
    output::line(&format!(
        "copied {} records ({} bytes), every one opened before and read back after{left}.{log}",
        copied.records, copied.bytes
    ))
}

fn style(step: Step) -> ProgressStyle {
    let template = match step {
        Step::Checking => "checking: {pos} records, {per_sec}",
        Step::Copying => "copying {wide_bar} {pos} of {len} records, {eta} left",
        Step::Comparing => "comparing {wide_bar} {pos} of {len} records, {eta} left",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

pub fn domain_key(command: &DomainKey) -> Result<(), Failure> {
    let DomainKey::Rotate(config) = command;
    let config = serve::config(config)?;
    block_on(async {
        let version = operate::rotate_domain_key(&config).await.map_err(failure)?;
        output::line(&format!("domain key version {version} seals from now on; older versions open what they sealed"))
    })
}

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

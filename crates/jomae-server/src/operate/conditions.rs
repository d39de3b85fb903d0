//! What a start needs beside the files: asked by `jomae doctor`, and nothing is changed.

use std::{
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use rustix::{
    fs::statvfs,
    process::{Resource, getrlimit},
};

use tokio::sync::oneshot;

use crate::{
    backup::{self, Place},
    config::Config,
    descriptors as limits, files, gateway, logging, oidc,
};

/// Below this the audit log and the store may soon have no room, in bytes: one segment of the log, as it is by default.
const SPACE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// How long the place of backups may take to answer.
const PLACE_TIMEOUT: Duration = Duration::from_secs(20);
/// How far the clock may be behind what was written last.
const CLOCK_BEHIND_MAX: Duration = Duration::from_mins(1);
/// 2026-01-01T00:00:00Z. This program is younger.
const YOUNGER_THAN: Duration = Duration::from_hours(490_896);

/// Everything that a start checks of the settings.
pub(super) fn configuration(config: &Config) -> Result<String, String> {
    let regions = config.checked_regions().map_err(|error| error.to_string())?;
    config.proxies().map_err(|error| error.to_string())?;
    oidc::Verifier::from_config(&config.oidc_providers).map_err(|error| error.to_string())?;
    logging::filter(&config.log.level).map_err(|error| error.to_string())?;
    if let Some(witness) = &config.audit.witness_file
        && let Some(dir) = witness.parent().filter(|dir| !dir.as_os_str().is_empty())
        && !files::about_followed(dir).is_ok_and(|about| about.is_dir())
    {
        return Err(format!("audit.witness_file: there is no directory {}", dir.display()));
    }
    if let Some(archive) = &config.audit.archive {
        crate::audit::open_archive(archive, None)
            .and_then(|mut archive| archive.logs())
            .map_err(|error| format!("audit.archive: {error}"))?;
    }
    Ok(format!("{} region(s)", regions.len()))
}

/// Whether the place of backups answers, and how old the newest there is. `to`: as the configuration names it.
pub(super) async fn backups(config: &Config, to: &str) -> Result<String, String> {
    let (tell, told) = oneshot::channel();
    let owned = config.clone();
    // Nobody waits for a thread of its own, unlike for one of the runtime, should the place never answer.
    std::thread::spawn(move || {
        let newest = Place::open(&owned, None, false).and_then(|mut place| backup::newest(&mut place));
        let _ = tell.send(newest.map_err(|error| error.to_string()));
    });
    let Ok(told) = tokio::time::timeout(PLACE_TIMEOUT, told).await else {
        return Err(format!("{to} has not answered within {} s", PLACE_TIMEOUT.as_secs()));
    };
    let newest = told.map_err(|error| error.to_string())??;
    let every = config.backup.every_hours.map(i64::from);
    let Some(newest) = newest else {
        let text = format!("there is none in {to} yet");
        return if every.is_some() { Err(text) } else { Ok(text) };
    };
    let hours = (gateway::now().0 - newest.0).max(0) / 3600;
    let text = format!("the newest in {to} was made at {newest}, {hours} h ago");
    match every {
        Some(every) if hours > 2 * every => Err(format!("{text}, and one is to be made every {every} h")),
        _ => Ok(text),
    }
}

/// Whether the addresses can be listened on. The service itself may be what has them.
pub(super) async fn addresses(config: &Config) -> Result<String, String> {
    let mut told = Vec::new();
    for address in [&config.listen, &config.admin_listen] {
        told.push(match address.bind().await {
            Ok(_) => format!("{address} is free"),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                format!("{address} is in use, as by a running service")
            }
            Err(error) => return Err(format!("cannot listen on {address}: {error}")),
        });
    }
    Ok(told.join("; "))
}

pub(super) fn space(dir: &Path) -> Result<String, String> {
    let about = statvfs(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let bytes = about.f_bavail.saturating_mul(about.f_frsize);
    let mib = bytes / (1024 * 1024);
    if bytes < SPACE_BYTES_MIN {
        return Err(format!("{mib} MiB are free for {}: the store and the audit log need room to grow", dir.display()));
    }
    if about.f_files > 0 && about.f_favail == 0 {
        return Err(format!("no file can be made in {}: the file system has no inode left", dir.display()));
    }
    Ok(format!("{mib} MiB"))
}

/// Whether the clock can be right, by what it must be after.
pub(super) fn clock(store: &Path) -> Result<String, String> {
    let now = SystemTime::now();
    if now < SystemTime::UNIX_EPOCH + YOUNGER_THAN {
        return Err("the clock shows a time before this program was made: set it; callers would be refused".into());
    }
    let written = files::about(store).and_then(|about| about.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    match written.duration_since(now) {
        Ok(ahead) if ahead > CLOCK_BEHIND_MAX => Err(format!(
            "the clock is {} s behind the last change of {}: set it; callers would be refused",
            ahead.as_secs(),
            store.display()
        )),
        _ => Ok("not before what was written last".to_owned()),
    }
}

/// Whether as many connections as are configured would find descriptors.
pub(super) fn descriptors(config: &Config) -> Result<String, String> {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let wanted = config.http_limits().connections_max;
    let possible = limits::connections(wanted, limit);
    if possible < wanted {
        return Err(format!(
            "the limit of {limit} open files leaves {possible} connections of {wanted}: raise it (LimitNOFILE=, ulimit \
             -Hn), or lower server.connections_max"
        ));
    }
    Ok(format!("enough for {wanted} connections"))
}

//! `jomae serve`: start, serve, reload, drain.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::PathBuf,
    pin::{Pin, pin},
    sync::{Arc, PoisonError},
    time::{Duration, SystemTime},
};

use jomae_core::{client_token, cluster::nonces, service::Service};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    time::{MissedTickBehavior, timeout},
};

use crate::{
    about::{self, Listening},
    address::ListenAddress,
    admin::{self, Admin},
    backup::schedule::{Backups, Counts},
    bootstrap::{self, StartError, Started},
    certificates::{self, Certificates},
    config::{Config, ConfigError, RootKeyProvider},
    console::{self, Console},
    descriptors, files,
    gateway::{self, Gateway},
    http::{self, HttpStats, Limits, Terms},
    locked,
    logging::{self, LevelHandle},
    metrics::Metrics,
    nodes::{self, NodeApi, status::Nodes, tokens},
    notify, oidc,
    operator::{self, Hold, OperatorApi},
    threads,
    whole::{self, Verifier},
};

/// How often due work is looked for.
const WORK_EVERY: Duration = Duration::from_secs(1);
/// How often the use of keys is stored, in turns of the work: what a crash can lose.
const FLUSH_EVERY_TURNS: u64 = 5;
/// Key versions whose use is stored at a time: about 2 % of a processor when that many are always in use.
const FLUSHED_VERSIONS_MAX: usize = 2000;
/// How long a stop waits for what was begun in a token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stop waits for witnesses to take the last checkpoint.
const WITNESS_TIMEOUT: Duration = Duration::from_secs(5);
/// How often old nonces and client tokens are swept out, in turns of the work.
const SWEEP_EVERY_TURNS: u64 = 30;
/// How often events are looked for that calls of unknown outcome have left, in turns of the work: longer than any call
/// takes, barriers with the longest lease included.
const STRANDED_EVERY_TURNS: u64 = 300;

/// Where the configuration came from, so that it can be read again.
pub struct Source {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Puts the flags of the command line above what the file says.
    pub flags: Box<dyn Fn(Config) -> Config + Send + Sync>,
}

impl Source {
    /// The configuration as it is now.
    pub fn read(&self) -> Result<Config, StartError> {
        let config = match &self.file {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        Ok((self.flags)(config))
    }
}

/// Serves until SIGTERM or SIGINT. Returns after the last answer has left and everything is on disk.
pub fn serve(source: &Source) -> Result<(), StartError> {
    let config = source.read()?;
    let level = logging::start(&config.log)?;
    if config.server.lock_memory
        && let Err(why) = locked::lock()
    {
        tracing::warn!(why, "memory is not locked: the system may write keys to swap");
    }
    let costly = threads::for_costly_calls(&config).map_err(StartError::io(&config.data_dir))?;
    let (runtime, workers) = threads::for_requests(&config).map_err(StartError::io(&config.data_dir))?;
    if config.server.real_time {
        runtime.spawn(workers.go_first());
    }
    runtime.block_on(serve_until_signal(source, config, &level, costly.handle()))
}

async fn serve_until_signal(
    source: &Source,
    mut config: Config,
    level: &LevelHandle,
    costly: &Handle,
) -> Result<(), StartError> {
    config.checked_regions()?;
    let providers = oidc::Verifier::organizations(&config.oidc_providers)?;
    let limits = limits_with(&config, descriptors::raise());
    let (listener, listening) = listen(&config.listen).await?;
    let (admin_listener, admin_listening) = listen(&config.admin_listen).await?;
    let for_console = listen_if(config.console_listen.as_ref()).await?;
    let for_nodes = listen_if(config.cluster.listen.as_ref()).await?;
    if let Some((_, listening)) = &for_nodes {
        config.cluster.address.get_or_insert_with(|| listening.to_string());
    }

    let certificates = || Ok(Certificates::prepare(&config, listening, SystemTime::now())?);
    let (started, mut certificates) = bootstrap::open_with(&config, gateway::now(), certificates).await?;
    bootstrap::write_env(&config, &started, listening, admin_listening).await?;
    let witnesses = look_after_log(&started, &config)?;

    let verifier = Verifier::start(Arc::clone(&started.whole), Arc::clone(&started.verified), &config.store)
        .map_err(StartError::io(&config.data_dir))?;
    let stats = Arc::new(HttpStats::default());
    let service = Arc::clone(&started.service);
    let counts = Counts::default();
    let metrics = Arc::new(Metrics::new(Arc::clone(&stats), &started, &counts));
    let listening_all = Listening {
        api: listening,
        admin: admin_listening,
        console: for_console.as_ref().map(|(_, at)| *at),
        nodes: for_nodes.as_ref().map(|(_, at)| *at),
    };
    about::begin(&started, listening_all, &counts)?;
    let backups = Arc::new(Backups::new(&started, config.clone(), counts));
    // The last step that can fail: a start that fails before it leaves everything to the next one.
    started.run.begin(&service).await?;
    let (stop, stopped) = watch::channel(false);
    let gateway = Arc::new(Gateway::new(Arc::clone(&service), Arc::clone(&metrics)));
    let terms = Terms { limits, proxies: config.proxies()?, costly: costly.clone() };
    let tls = Some(Arc::clone(&certificates.tls));
    let console = for_console.as_ref().map(|(_, at)| Console::of(&service, &gateway, providers, &config, *at));
    let console_task = for_console.zip(console.clone()).map(|((listener, _), pages)| {
        // Its connections are counted apart: strangers at the door of the console do not take those of the API.
        tokio::spawn(http::serve(listener, tls.clone(), pages, terms.clone(), Arc::default(), stopped.clone()))
    });
    let api = tokio::spawn(http::serve(listener, tls, gateway, terms, stats, stopped.clone()));
    let admin = Arc::new(Admin { service: Arc::clone(&service), metrics });
    let admin = tokio::spawn(admin::serve(admin_listener, admin, stopped.clone()));
    let leaving = Arc::new(Notify::new());
    let operator = operator::socket::listen(&config.data_dir).map(|socket| {
        let nodes = started.authority.clone().map(|authority| {
            let (service, stop) = (Arc::clone(&service), Arc::clone(&leaving));
            Nodes { service, authority, stop }
        });
        let root = Arc::clone(&started.root_holder);
        let (backups, console) = (Arc::clone(&backups), console.clone());
        let hold = Hold::Service { service: Arc::clone(&service), nodes, backups, console };
        let api = Arc::new(OperatorApi::new(hold, config.clone(), root));
        tokio::spawn(operator::socket::serve(socket, api, stopped.clone()))
    });
    let for_nodes = for_nodes.zip(started.authority.clone()).map(|((listener, _), authority)| {
        let api = Arc::new(NodeApi::new(authority, Arc::clone(&service), config.clone()));
        tokio::spawn(nodes::channel::serve(listener, api, stopped.clone()))
    });
    let at_token = tokio::spawn(work_at_token(Arc::clone(&service), stopped.clone()));
    let shredding = tokio::spawn(Arc::clone(&started.shredding).run(Arc::clone(&service), stopped.clone()));
    let backing_up = tokio::spawn(backups.run(stopped));
    if let Err(fault) = nodes::come_back(&service).await {
        tracing::warn!(cause = %fault, "this node had left for good, and its coming back cannot be noted");
    }
    announce(&config, &started, certificates.is_new_authority, listening, admin_listening, console.as_deref());
    notify::ready();

    watch_signals(source, config, &started, &mut certificates, level, &leaving).await?;

    drop(verifier);
    tracing::info!("stopping: waiting for requests in flight, accepting no new ones");
    notify::stopping();
    let _ = stop.send(true);
    let _ = api.await;
    let _ = admin.await;
    let _ = backing_up.await;
    for task in operator.into_iter().chain(for_nodes).chain(console_task).chain([shredding, at_token]) {
        let _ = task.await;
    }
    // Whatever the drain has cut off is not accepted any more.
    if let Err(fault) = started.run.end(&service).await {
        tracing::warn!(cause = %fault, "cannot keep the nonces; the next start will refuse requests signed before it");
    }
    flush_usage(&started, usize::MAX).await;
    tell_throttled(&started, true).await;
    // The next start would do it too, event by event.
    if let Err(fault) = service.outbox.clear(&service.kms.vault).await {
        tracing::warn!(cause = %fault, "audit events remain in the outbox; the next start will log them");
    }
    if let Some(hsm) = started.hsm.clone() {
        let _ = tokio::task::spawn_blocking(move || hsm.stop()).await;
    }
    // Its last checkpoint covers everything.
    let audit = Arc::clone(&started.audit);
    let _ = tokio::task::spawn_blocking(move || audit.close()).await;
    if let Err(fault) = started.audit.keep_end(&service.kms.vault).await {
        tracing::warn!(cause = %fault, "cannot record the end of the audit log in the store; the next start will look for it");
    }
    let _ = tokio::task::spawn_blocking(move || witnesses.finish(WITNESS_TIMEOUT)).await;
    if let Some(keeper) = &started.keeper {
        keeper.leave().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Begins what is done with the written log beside its writing.
fn look_after_log(started: &Started, config: &Config) -> Result<jomae_log::witness::Witnesses, StartError> {
    started.audit.keep_indexed().map_err(StartError::io(&config.data_dir))?;
    started.audit.keep_compressed().map_err(StartError::io(&config.data_dir))?;
    started
        .audit
        .keep_archived(&config.audit)
        .map_err(|error| StartError::Config(ConfigError::Value(format!("audit.archive: {error}"))))?;
    started
        .audit
        .send_to_witnesses(&config.audit)
        .map_err(|error| StartError::Config(ConfigError::Value(format!("the witnesses of the audit log: {error}"))))
}

/// The limits of the HTTP side, with no more connections than leave descriptors for everything else.
fn limits_with(config: &Config, descriptors_max: u64) -> Limits {
    let wanted = config.http_limits();
    let connections_max = descriptors::connections(wanted.connections_max, descriptors_max);
    if connections_max < wanted.connections_max {
        tracing::warn!(
            wanted = wanted.connections_max,
            connections_max,
            descriptors_max,
            "the limit of open files allows fewer connections than server.connections_max"
        );
    }
    Limits { connections_max, ..wanted }
}

async fn listen_if(address: Option<&ListenAddress>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    match address {
        Some(address) => listen(address).await.map(Some),
        None => Ok(None),
    }
}

async fn listen(address: &ListenAddress) -> Result<(TcpListener, SocketAddr), StartError> {
    let opened = async {
        let listener = address.bind().await?;
        let listening = listener.local_addr()?;
        Ok((listener, listening))
    };
    opened.await.map_err(|source| StartError::Listen { address: address.clone(), source })
}

/// Does the work of each second, and what signals ask for, until one asks to stop.
async fn watch_signals(
    source: &Source,
    mut config: Config,
    started: &Started,
    certificates: &mut Certificates,
    level: &LevelHandle,
    leaving: &Notify,
) -> Result<(), StartError> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (mut terminate, mut interrupt, mut hangup) = match signals {
        (Ok(terminate), Ok(interrupt), Ok(hangup)) => (terminate, interrupt, hangup),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
            return Err(StartError::io(&config.data_dir)(error));
        }
    };
    let mut every_second = tokio::time::interval(WORK_EVERY);
    every_second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut turns = 0u64;
    // A store that does not answer makes the work last: signals do not wait for it, a new certificate for etcd least of all.
    let mut working: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = leaving.notified() => break,
            _ = hangup.recv() => config = reload(source, config, started, certificates, level).await,
            () = async { if let Some(work) = &mut working { work.as_mut().await } }, if working.is_some() => {
                working = None;
            }
            _ = every_second.tick(), if working.is_none() => {
                turns += 1;
                keep_certificate(&config, certificates);
                working = Some(Box::pin(work(started, turns)));
            }
        }
    }
    // What was begun is brought to its end.
    if let Some(work) = working {
        work.await;
    }
    Ok(())
}

async fn flush_usage(started: &Started, versions_max: usize) {
    if let Err(fault) = started.service.kms.usage.flush(&started.service.kms.vault, versions_max).await {
        tracing::warn!(cause = %fault, "cannot store key usage; will retry");
    }
    if let Err(fault) = started.service.last_used.flush(&started.service.kms.vault).await {
        tracing::warn!(cause = %fault, "cannot store the last use of access keys; will retry");
    }
}

/// Looks at what other nodes have done to the store.
async fn keep_whole(started: &Started) {
    let Started { whole, service, beginning, audit, .. } = started;
    if let Err(fault) = whole::keep(whole, &service.kms.vault, beginning, audit, &service.default_region).await {
        tracing::warn!(cause = %fault, "cannot compare the store with what other nodes have done; will retry");
    }
}

/// Puts the calls that were throttled, and counted, on the audit log.
async fn tell_throttled(started: &Started, everything: bool) {
    let Started { service, .. } = started;
    if let Err(fault) = service.throttled.tell(&*service.audit, gateway::now(), everything).await {
        tracing::warn!(cause = %fault, "cannot record the count of throttled calls");
    }
}

fn keep_certificate(config: &Config, certificates: &mut Certificates) {
    match certificates.keep_fresh(config, SystemTime::now()) {
        Ok(false) => {}
        Ok(true) => tracing::info!("certificate renewed"),
        Err(error) => tracing::error!(%error, "cannot renew the certificate; will retry"),
    }
}

/// Does each second what needs a token. By itself: a token may hang.
async fn work_at_token(service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let mut every_second = tokio::time::interval(WORK_EVERY);
    every_second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = asked(&mut stopped) => return,
            _ = every_second.tick() => {}
        }
        let mut working = pin!(service.do_token_work(gateway::now()));
        let done = tokio::select! {
            done = &mut working => done,
            // A key that has just been made in a token is still to get its record.
            () = asked(&mut stopped) => match timeout(TOKEN_TIMEOUT, working).await {
                Ok(done) => done,
                Err(_) => return tracing::warn!("a token does not answer; what was begun in it is given up"),
            },
        };
        match done {
            Ok(0) => {}
            Ok(jobs) => tracing::info!(jobs, "due work done in the token"),
            Err(fault) => tracing::error!(cause = %fault, "due work in the token failed; will retry"),
        }
    }
}

/// Ends when a stop is asked for.
async fn asked(stopped: &mut watch::Receiver<bool>) {
    // An error says that whoever asks is gone, which counts as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn work(started: &Started, turns: u64) {
    match started.service.do_due_work(gateway::now()).await {
        Ok(0) => {}
        Ok(jobs) => tracing::info!(jobs, "due work done"),
        Err(fault) => tracing::error!(cause = %fault, "due work failed; will retry"),
    }
    if let Err(fault) = started.service.outbox.clear(&started.service.kms.vault).await {
        tracing::warn!(cause = %fault, "cannot clear the audit outbox; will retry");
    }
    if turns.is_multiple_of(STRANDED_EVERY_TURNS) {
        let service = &started.service;
        match service.outbox.append_stranded(&service.kms.vault, &*service.audit).await {
            Ok(0) => {}
            Ok(events) => {
                tracing::info!(events, "logged audit events of changes whose calls did not know their outcome");
            }
            Err(fault) => tracing::warn!(cause = %fault, "cannot look for events in the audit outbox; will retry"),
        }
    }
    tell_throttled(started, false).await;
    keep_whole(started).await;
    if let Err(fault) = started.audit.keep_head(&started.service.kms.vault).await {
        tracing::warn!(cause = %fault, "cannot record the head of the audit log in the store; will retry");
    }
    if let Err(fault) = started.run.keep_ahead(&started.service).await {
        tracing::warn!(cause = %fault, "cannot note how far ahead the clocks of clients are; will retry");
    }
    if turns.is_multiple_of(FLUSH_EVERY_TURNS) {
        flush_usage(started, FLUSHED_VERSIONS_MAX).await;
    }
    if turns.is_multiple_of(SWEEP_EVERY_TURNS) {
        sweep(started).await;
        started.service.authenticator.nonces.sweep(gateway::now().0);
        started.service.authenticator.sessions.sweep(gateway::now());
    }
}

/// Removes what the store need not remember any more; of several nodes one does it.
async fn sweep(started: &Started) {
    let vault = &started.service.kms.vault;
    if vault.cluster().is_some_and(|cluster| !cluster.has_work()) {
        return;
    }
    if vault.cluster().is_some()
        && let Err(fault) = tokens::sweep(vault, gateway::now()).await
    {
        tracing::warn!(cause = %fault, "cannot delete expired join tokens; will retry");
    }
    if let Err(fault) = client_token::sweep(vault, gateway::now()).await {
        tracing::warn!(cause = %fault, "cannot delete expired client tokens; will retry");
    }
    if vault.cluster().is_some()
        && let Err(fault) = nonces::sweep(vault, gateway::now()).await
    {
        tracing::warn!(cause = %fault, "cannot delete expired nonces; will retry");
    }
}

/// Takes what can change in a running process: certificates, rate limits, quotas, log level. The rest waits for a restart.
async fn reload(
    source: &Source,
    old: Config,
    started: &Started,
    certificates: &mut Certificates,
    level: &LevelHandle,
) -> Config {
    let config = match source.read() {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "configuration not reloaded; keeping the current one");
            return old;
        }
    };
    match logging::filter(&config.log.level) {
        Ok(filter) => {
            let _ = level.reload(filter);
            started.in_effect.write().unwrap_or_else(PoisonError::into_inner).log.level.clone_from(&config.log.level);
        }
        Err(error) => tracing::error!(%error, "log level not changed"),
    }
    if let Some(hsm) = &started.hsm {
        hsm.reload();
    }
    started.service.meter.set_limits(config.rate_limits());
    started.service.kms.quotas.set_quotas(config.quotas.of_accounts());
    {
        let mut in_effect = started.in_effect.write().unwrap_or_else(PoisonError::into_inner);
        (in_effect.limits, in_effect.quotas) = (config.limits, config.quotas);
    }
    match certificates.renew(&config, SystemTime::now()) {
        Ok(()) => tracing::info!("reloaded certificate, rate limits and log level; other settings need a restart"),
        Err(error) => tracing::error!(%error, "certificate not reloaded; keeping the current one"),
    }
    match started.store.renew(&config.store).await {
        Ok(false) => {}
        Ok(true) => tracing::info!("new certificates for etcd are in use"),
        Err(error) => tracing::error!(%error, "certificates for etcd not reloaded; keeping the current ones"),
    }
    config
}

/// What to do with a root key that can be copied.
const KEEP: &str = "keep a copy elsewhere: without it no key can ever be used again";
/// And with one that cannot.
const ADD: &str = "add shares or a key file (jomae root add): without one way to it no key can ever be used again";

/// Says where things are and what to type next.
fn announce(
    config: &Config,
    started: &Started,
    is_new_authority: bool,
    listening: SocketAddr,
    admin: SocketAddr,
    console: Option<&Console>,
) {
    let env = bootstrap::env_path(&config.data_dir);
    let mut lines = Vec::new();
    if let Some(first) = &started.first {
        lines.push(format!("Jomae has made a new service in {}", config.data_dir.display()));
        lines.push(format!("  account      {}", first.account));
        lines.push(format!("  credential   {} (readable by you alone)", env.display()));
        if started.root_key_created {
            let (root_key, keep) = match config.root_key.providers.first() {
                Some(RootKeyProvider::Passphrase) => ("your passphrase".to_owned(), KEEP),
                Some(RootKeyProvider::Pkcs11) => ("a key in the token, which cannot be copied".to_owned(), ADD),
                Some(RootKeyProvider::Kms) => ("a key of the other KMS, which cannot be copied".to_owned(), ADD),
                _ => (config.root_key_file().display().to_string(), KEEP),
            };
            lines.push(format!("  root key     {root_key}"));
            lines.push(format!("               {keep}"));
            if config.root_key.providers.first() == Some(&RootKeyProvider::Kms) {
                let log_key = jomae_log::layout::public_key(&bootstrap::audit_dir(&config.data_dir));
                // Another KMS does not vouch for backups.
                lines.push(format!(
                    "  log key      {} (public: keep it elsewhere, a restore asks for it)",
                    log_key.display()
                ));
            }
        }
    }
    if is_new_authority {
        let ca = certificates::ca_path(&config.data_dir);
        if started.first.is_some() {
            lines.push(format!("  authority    {} (new: what clients trust)", ca.display()));
        } else {
            lines.push("NEW CERTIFICATE AUTHORITY: there was none in this data directory.".to_owned());
            lines.push(format!("  No client trusts this service until it has the new {}", ca.display()));
            tracing::warn!(ca = %ca.display(), "made a new certificate authority; every client must be given it");
        }
    }
    let (endpoint, admin) = (bootstrap::reachable(listening), bootstrap::reachable(admin));
    lines.push(format!("Jomae serves https://{endpoint} (region {}), admin http://{admin}", config.region));
    if let Some(console) = console {
        lines.push(format!("Console: {}", console.url()));
        let first = started.first.as_ref().and_then(|first| console.person(Some(first.account.clone()), None).ok());
        match first {
            Some(account) => {
                let minutes = console::LINK_SECS / 60;
                lines.push(format!("  sign in, once, within {minutes} minutes: {}", console.link(account)));
            }
            None => lines.push("  a sign-in link: jomae console link".to_owned()),
        }
    }
    if files::is_file(&env).is_ok_and(|there| there) {
        lines.push("In another shell:".to_owned());
        lines.push(format!("  . {}", bootstrap::shell_quoted(&env.display().to_string())));
        lines.push("  jomae key create --description 'my first key'".to_owned());
    }
    let mut text = String::new();
    for line in &lines {
        text.push_str(&logging::start_line(config.log.format, line));
        text.push('\n');
    }
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason to stop serving.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

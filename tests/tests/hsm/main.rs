//! Keys in a token of SoftHSM, and of Kryoptic, through the API of the real binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

mod disaster;
mod ending;
mod faults;
mod keys;
mod kryoptic;
mod root;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use jomae_hsm::{Hsm, Launch, ObjectInfo, Secret, Settings};
use jomae_sim::{
    block_on,
    softhsm::{MODULE, PIN, Tokens},
    wait_until,
};
use jomae_tests::{Server, Site, binary, cli::Ran, server::Launch as ServerLaunch};
use rustix::process::Pid;

const LABEL: &str = "jomae";

/// A place for a service and a token.
struct Bench {
    site: Site,
    tokens: Tokens,
}

impl Bench {
    fn new() -> Self {
        let site = Site::default();
        let tokens = Tokens::new(&site.path("hsm"));
        tokens.add(LABEL);
        Self { site, tokens }
    }

    fn start(&self) -> Server {
        self.start_with(Path::new(MODULE), 10)
    }

    fn start_with(&self, module: &Path, timeout_secs: u32) -> Server {
        self.start_more(module, timeout_secs, "")
    }

    /// With more in its configuration.
    fn start_more(&self, module: &Path, timeout_secs: u32, more: &str) -> Server {
        self.launch(module, timeout_secs, more).start()
    }

    /// A start that ends.
    fn fails(&self, module: &Path, more: &str) -> Ran {
        self.launch(module, 10, more).fails()
    }

    fn launch(&self, module: &Path, timeout_secs: u32, more: &str) -> ServerLaunch<'_> {
        let (module, pin_file) = (module.display(), self.tokens.pin_file());
        let config = format!(
            "{more}[hsm]\nmodule = \"{module}\"\ntoken_label = \"{LABEL}\"\npin_file = \"{}\"\nsessions = 4\n\
             timeout_secs = {timeout_secs}\n",
            pin_file.display()
        );
        let mut launch = self.site.launch().config(&config);
        for (name, value) in self.tokens.env() {
            launch = launch.variable(name.to_str().unwrap(), value.to_str().unwrap());
        }
        launch
    }

    /// With the module that misbehaves on demand.
    fn start_faulty(&self, timeout_secs: u32) -> Server {
        let module: PathBuf = self.tokens.fault_module();
        self.start_with(&module, timeout_secs)
    }

    /// What is in the token.
    fn objects(&self) -> Vec<ObjectInfo> {
        let settings = Settings {
            module: MODULE.into(),
            token_label: LABEL.to_owned(),
            token_serial: None,
            sessions: 1,
            workers: 1,
            timeout: Duration::from_secs(10),
            pin: Box::new(|| Ok(Secret::new(PIN.into()))),
        };
        let launch = Launch {
            program: binary::path().to_owned(),
            args: vec!["hsm-worker".into()],
            env: self.tokens.env(),
            without: Vec::new(),
        };
        let hsm = Hsm::start(settings, launch).unwrap();
        hsm.settled(Duration::from_mins(1));
        block_on(hsm.list()).unwrap()
    }
}

/// The workers of a server.
fn workers(server: &Server) -> Vec<u32> {
    children(server.pid()).into_iter().map(|worker| worker.as_raw_nonzero().get().unsigned_abs()).collect()
}

/// The workers of a process: it has no other children. None if it is gone.
fn children(parent: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero())).into_iter().flatten().flatten();
    // A thread may end meanwhile.
    let of_each = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let found: String = of_each.collect();
    found.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect()
}

/// Kills so many of its two workers.
fn kill_workers(server: &Server, count: usize) {
    wait_until("two workers", || metric(server, "jomae_hsm_workers_up") > 1.0);
    for worker in workers(server).into_iter().take(count) {
        let killed = Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap();
        assert!(killed.success());
    }
}

/// A metric of the server.
fn metric(server: &Server, name: &str) -> f64 {
    let (_, text) = server.page("/metrics").unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
}

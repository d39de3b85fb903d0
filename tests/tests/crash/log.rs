//! The audit log as an auditor sees it: verified by the command line, with its key and a checkpoint kept elsewhere.

use std::{fs, path::PathBuf};

use jomae_tests::{Ran, Site, cli};

/// The log of a data directory, and what an auditor has of it.
pub struct Log {
    dir: String,
    /// The key as it was at the first start.
    key: String,
    kept: PathBuf,
    proof: PathBuf,
}

impl Log {
    pub fn new(site: &Site) -> Self {
        let dir = site.data().join("audit");
        let key = fs::read_to_string(dir.join("key.pub")).expect("the key of the log").trim().to_owned();
        let dir = dir.to_str().expect("a path that is text").to_owned();
        Self { dir, key, kept: site.path("kept-checkpoint"), proof: site.path("consistency") }
    }

    fn audit(&self, words: &[&str]) -> Ran {
        cli::jomae(&[&["audit"], words, &["--log", &self.dir, "--key", &self.key]].concat())
    }

    /// Takes the newest checkpoint of a log that nobody writes to at the moment.
    pub fn keep_checkpoint(&self) {
        let newest = self.audit(&["checkpoint"]).ok();
        assert!(newest.text().contains("\n\n\u{2014} "), "no checkpoint: {}", newest.text());
        fs::write(&self.kept, newest.stdout).expect("a file for the checkpoint");
    }

    /// Checks the whole log, and that it begins with all that the kept checkpoint covers.
    pub fn verify(&self) -> Ran {
        let kept = self.kept.to_str().expect("a path that is text");
        let verified = self.audit(&["verify", "--checkpoint", kept]).ok();
        assert!(verified.text().ends_with("the log is intact\n"), "{}", verified.text());
        verified
    }

    /// Has it proved, to somebody without the log, that it begins with all that the kept checkpoint covers.
    pub fn prove_consistency(&self) {
        let (kept, proof) = (self.kept.to_str().expect("a path"), self.proof.to_str().expect("a path"));
        let _ = fs::remove_file(&self.proof);
        self.audit(&["consistency", kept, "--to", proof]).ok();
        let checked = cli::jomae(&["audit", "check-proof", proof, "--key", &self.key]).ok();
        assert!(checked.text().starts_with("proven: "), "{}", checked.text());
    }
}

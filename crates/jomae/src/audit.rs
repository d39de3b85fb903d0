//! `jomae audit`: searching the log, checking it, and proving what it holds.

mod archive;
mod events;
mod proofs;
mod tail;

pub(crate) use proofs::given_key;

use crate::{args::Audit, output::Failure};

pub fn run(command: Audit) -> Result<(), Failure> {
    match command {
        Audit::Verify { log, checkpoint, archive } => match archive::config(&log, archive)? {
            Some(config) => archive::verify(&log, &config, &checkpoint),
            None => proofs::verify(&log, &checkpoint),
        },
        Audit::Prove { event, to, log } => proofs::prove(&log, &event, to.as_deref()),
        Audit::CheckProof { file, key } => proofs::check_proof(&file, &key),
        Audit::Consistency { checkpoint, to, log } => proofs::consistency(&log, &checkpoint, to.as_deref()),
        Audit::Receipt { receipt, proof, log } => proofs::receipt(&log, &receipt, proof.as_deref()),
        Audit::Export { to, account, range, log } => proofs::export(&log, account, &range, &to),
        Audit::CheckExport { file, key } => proofs::check_export(&file, &key),
        Audit::CheckDrill { file, key } => proofs::check_drill(&file, &key),
        Audit::Checkpoint { log } => proofs::checkpoint(&log),
        Audit::Search(search) => events::search(&search),
        Audit::Tail { remote, follow, lines, log: None } => tail::of_account(&remote, follow, lines),
        Audit::Tail { remote, follow, lines, log: Some(dir) } => tail::of_files(&remote.show, &dir, follow, lines),
    }
}

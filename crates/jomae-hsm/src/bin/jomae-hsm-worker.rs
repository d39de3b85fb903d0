//! The worker alone, for the tests of this crate. The product starts it as a hidden subcommand of `jomae`.

use std::process::ExitCode;

fn main() -> ExitCode {
    jomae_hsm::worker::run()
}

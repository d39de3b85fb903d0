//! Asking before something is lost.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::output::{self, Failure};

/// Asks on a terminal. Elsewhere nobody can be asked, and `--yes` must say it.
pub fn loss(yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Usage(format!("{what}: without a terminal to ask on, --yes confirms it")));
    }
    let mut answer = String::new();
    let asked = write!(io::stderr(), "jomae: {}. Type yes to go on: ", output::harmless(what))
        .and_then(|()| io::stderr().flush())
        .and_then(|()| io::stdin().lock().read_line(&mut answer));
    match asked {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::Local("nothing was changed".into())),
    }
}

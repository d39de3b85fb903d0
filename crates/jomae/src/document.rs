//! What the command line says of itself: completions and manual pages.

use std::path::Path;

use clap::CommandFactory;

use crate::{
    args::Args,
    output::{self, Failure},
};

pub fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "jomae", &mut script);
    output::write_out(&script)
}

pub fn man(directory: Option<&Path>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Local(format!("manual page: {error}"));
    if let Some(directory) = directory {
        return clap_mangen::generate_to(Args::command(), directory).map_err(failed);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command()).render(&mut page).map_err(failed)?;
    output::write_out(&page)
}

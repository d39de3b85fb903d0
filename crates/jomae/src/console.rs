//! `jomae console`: what the operator does for those who use the console.

use jomae_server::operator;

use crate::{
    account::failure,
    args::Console,
    connect::block_on,
    output::{self, Failure},
    serve,
};

pub fn run(command: &Console) -> Result<(), Failure> {
    let Console::Link { account, user, config } = command;
    let config = serve::config(config)?;
    let link = operator::make_console_link(&config, account.as_deref(), user.as_deref());
    let link = block_on(async { link.await.map_err(failure) })?;
    output::line(&link)
}

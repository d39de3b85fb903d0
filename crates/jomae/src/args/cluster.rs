//! `jomae cluster`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ConfigArgs, Confirmed, Show};

#[derive(Subcommand)]
pub enum Cluster {
    /// Show the nodes, who of them serves, and how far their audit logs have come.
    Status {
        #[command(flatten)]
        show: Show,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Make a token with which one new node can join, once. Whoever has it gets the root key: carry it like one.
    Token {
        /// Name of the new node, its cluster.node.
        #[arg(long, value_name = "NAME")]
        node: String,
        /// For how long it is good, 1 minute to 7 days.
        #[arg(long = "for", value_name = "SPAN", default_value = "1h")]
        span: String,
        /// Write it to this new file instead of showing it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// On a new machine: fetch root key and certificate authority from a node of the cluster. Start the service afterwards.
    Join {
        /// File with the token; standard input if it is not given.
        #[arg(long, value_name = "FILE")]
        token: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Leave for good: the service of this machine stops, and nobody waits for the events of its log any more.
    Leave {
        /// Another node, which does not serve any more.
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        #[command(flatten)]
        confirmed: Confirmed,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

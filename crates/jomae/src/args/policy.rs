//! `jomae policy`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::ConfigArgs;

#[derive(Subcommand)]
pub enum Policy {
    /// Tell whether a policy document is one, and where a mistake is; needs no service.
    Check {
        /// The document; - is standard input.
        file: PathBuf,
        /// What the policy is for.
        #[arg(long, value_enum, default_value = "identity")]
        form: Form,
    },
    /// Tell whether a principal may do something, and why; or what a policy would have changed.
    ///
    /// With --replay, goes through the calls in the audit log and lists those that would end otherwise. Exit code: 0
    /// allowed, or no call would be denied; 1 denied, or calls would be denied; 2 or 4 no answer.
    Simulate(Box<Simulate>),
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Form {
    /// Of users, groups and roles.
    Identity,
    /// Of one session of a role.
    Session,
    /// Of a key.
    Key,
    /// Of a role: who may assume it.
    Trust,
}

#[derive(ClapArgs)]
pub struct Simulate {
    /// Who: acs:ram::<account>:user/<name>, …:role/<name> or …:root.
    #[arg(long, value_name = "ARN", required_unless_present = "replay", conflicts_with = "replay")]
    pub principal: Option<String>,
    /// The permission, e.g. kms:Decrypt.
    #[arg(long, value_name = "NAME", required_unless_present = "replay", conflicts_with = "replay")]
    pub action: Option<String>,
    /// Full name of what is acted on, e.g. acs:kms:<region>:<account>:key/<id>.
    #[arg(long, value_name = "ARN", conflicts_with = "replay")]
    pub resource: Option<String>,
    /// A pair of the encryption context; may be given often.
    #[arg(long = "context", value_name = "NAME=VALUE", conflicts_with = "replay")]
    pub context: Vec<String>,
    /// The address that calls.
    #[arg(long, value_name = "IP", conflicts_with = "replay")]
    pub source_ip: Option<String>,
    /// The moment of the call: a date, a moment such as 2026-11-27T08:00:00Z, or how long ago [default: now].
    #[arg(long, value_name = "TIME", conflicts_with = "replay")]
    pub time: Option<String>,
    /// A tag of the key, instead of those that it has; may be given often.
    #[arg(long = "tag", value_name = "KEY=VALUE", conflicts_with = "replay")]
    pub tags: Vec<String>,
    /// A tag that the call would set; may be given often.
    #[arg(long = "request-tag", value_name = "KEY=VALUE", conflicts_with = "replay")]
    pub request_tags: Vec<String>,
    /// `ExternalId` of an AssumeRole.
    #[arg(long, value_name = "ID", conflicts_with = "replay")]
    pub external_id: Option<String>,
    /// A policy that is not in force: simulate as if it were.
    #[arg(long, value_name = "FILE", required_if_eq("replay", "true"))]
    pub policy: Option<PathBuf>,
    /// It replaces this policy [default: it is added].
    #[arg(long, value_name = "NAME", requires = "policy")]
    pub instead_of: Option<String>,
    /// Go through the calls of the past.
    #[arg(long, requires = "account")]
    pub replay: bool,
    /// With --replay: whose calls.
    #[arg(long, value_name = "ID", requires = "replay")]
    pub account: Option<String>,
    /// With --replay: whom the policy is added to: user/<name>, group/<name> or role/<name>.
    #[arg(long, value_name = "WHOM", requires = "replay", conflicts_with = "instead_of")]
    pub add_to: Option<String>,
    /// With --replay: the first second, in the same forms [default: seven days ago].
    #[arg(long, value_name = "TIME", requires = "replay")]
    pub from: Option<String>,
    /// With --replay: the last second [default: now].
    #[arg(long, value_name = "TIME", requires = "replay")]
    pub until: Option<String>,
    #[command(flatten)]
    pub config: ConfigArgs,
}

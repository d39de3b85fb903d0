//! `jomae user`, `jomae group`, `jomae role` and `jomae session`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::Confirmed;

#[derive(Subcommand)]
pub enum User {
    /// Make a user: what it may do, and its first access key.
    Create {
        name: String,
        #[command(flatten)]
        policies: Policies,
        /// Put it into this group; may be given often.
        #[arg(long, value_name = "NAME")]
        group: Vec<String>,
        /// Make an access key, and write it to this new file, to be sourced in a shell.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
        /// A name for people, such as 'Zhang Qiang'.
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
    },
    /// List all users.
    List,
    /// Show a user: its groups, policies and access keys.
    Show { name: String },
    /// Let a user do more.
    Grant {
        name: String,
        #[command(flatten)]
        policies: Policies,
    },
    /// Take policies from a user; they stay, for others.
    Revoke {
        name: String,
        #[command(flatten)]
        policies: PolicyNames,
    },
    /// Make, list, stop and delete access keys of a user.
    Keys {
        #[command(subcommand)]
        command: UserKeys,
    },
    /// Delete a user, with its access keys and memberships.
    Delete {
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Subcommand)]
pub enum UserKeys {
    /// Make an access key; the secret is shown once.
    Create {
        user: String,
        /// Write the key to this new file, to be sourced in a shell, instead of showing it.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
    },
    /// List the access keys of a user, and when each was used last.
    List { user: String },
    /// Stop an access key; the next call with it fails.
    Disable { user: String, access_key_id: String },
    /// Let an access key work again.
    Enable { user: String, access_key_id: String },
    /// Delete an access key.
    Delete {
        user: String,
        access_key_id: String,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Subcommand)]
pub enum Group {
    /// Make a group, and say what its users may do.
    Create {
        name: String,
        #[command(flatten)]
        policies: Policies,
    },
    /// List all groups.
    List,
    /// Show a group: its users and policies.
    Show { name: String },
    /// Put users into a group.
    Add {
        name: String,
        #[arg(required = true)]
        user: Vec<String>,
    },
    /// Take users out of a group.
    Remove {
        name: String,
        #[arg(required = true)]
        user: Vec<String>,
    },
    /// Let the users of a group do more.
    Grant {
        name: String,
        #[command(flatten)]
        policies: Policies,
    },
    /// Take policies from a group.
    Revoke {
        name: String,
        #[command(flatten)]
        policies: PolicyNames,
    },
    /// Delete a group; its users stay.
    Delete {
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Subcommand)]
pub enum Role {
    /// Make a role: who may assume it, and what it may do.
    Create {
        name: String,
        /// Who may assume it: a trust policy in a file, the 16 digits of an account, or a principal such as
        /// acs:ram::<account>:user/<name>.
        #[arg(long, value_name = "FILE|ACCOUNT|ARN")]
        trust: String,
        #[command(flatten)]
        policies: Policies,
        /// Longest session, 1h to 12h.
        #[arg(long, value_name = "SPAN", default_value = "1h")]
        max_session: String,
    },
    /// List all roles.
    List,
    /// Show a role: who may assume it, and its policies.
    Show { name: String },
    /// Change who may assume a role.
    Trust {
        name: String,
        /// A trust policy in a file, the 16 digits of an account, or a principal.
        #[arg(value_name = "FILE|ACCOUNT|ARN")]
        trust: String,
    },
    /// Let a role do more.
    Grant {
        name: String,
        #[command(flatten)]
        policies: Policies,
    },
    /// Take policies from a role.
    Revoke {
        name: String,
        #[command(flatten)]
        policies: PolicyNames,
    },
    /// Delete a role; its sessions end with it.
    Delete {
        name: String,
        #[command(flatten)]
        confirmed: Confirmed,
    },
}

#[derive(Subcommand)]
pub enum Session {
    /// Assume a role: temporary credentials.
    Start {
        /// Name of a role of the caller's account, or acs:ram::<account>:role/<name>.
        role: String,
        /// Name of the session, which the audit log shows.
        #[arg(long, value_name = "NAME", default_value = "jomae")]
        name: String,
        /// How long it shall last, 15m to 12h, and no longer than the role allows.
        #[arg(long = "for", value_name = "SPAN", default_value = "1h")]
        lasting: String,
        /// A policy in a file that narrows what the session may do.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// What the role's trust policy asks for.
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        /// Write the credentials to this new file, to be sourced in a shell, instead of showing them.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
    },
    /// Tell who calls: account, principal and its kind.
    Whoami,
}

#[derive(ClapArgs)]
pub struct PolicyNames {
    /// Name of a policy; may be given often.
    #[arg(long = "policy", value_name = "NAME", required = true)]
    pub policies: Vec<String>,
}

#[derive(ClapArgs)]
pub struct Policies {
    /// A policy by its name, or a document in a file, which becomes a policy of the file's name; may be given often.
    #[arg(long = "policy", value_name = "FILE|NAME")]
    pub policies: Vec<String>,
}

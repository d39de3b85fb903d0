//! The whole service in one process: what it answers, what it keeps, what it records, and how it fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod accounts;
mod aliases;
mod asymmetric;
mod attacks;
mod audit;
mod client_token;
mod cluster;
mod concurrency;
mod crypto;
mod deletion;
mod denied;
mod export;
mod faults;
mod identity;
mod import;
mod import_life;
mod isolation;
mod key_index;
mod keys;
mod lists;
mod mac;
mod oidc;
mod passkeys;
mod policy;
mod policy_cost;
mod protection;
mod quotas;
mod ram_access_keys;
mod ram_attachments;
mod ram_groups;
mod ram_login_refusals;
mod ram_logins;
mod ram_model;
mod ram_policies;
mod ram_races;
mod ram_refusals;
mod ram_roles;
mod ram_user_refusals;
mod ram_users;
mod ranks;
mod re_encrypt;
mod refusals;
mod rotation;
mod server;
mod shares;
mod sign_in;
mod simulate;
mod states;
mod tags;
mod tamper;
mod threats;
mod trail;
mod usage;
mod vault;
mod versions;
mod xml;

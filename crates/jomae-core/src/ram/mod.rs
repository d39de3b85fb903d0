//! Resource Access Management: who is who in an account. One file an action.

mod access_keys;
pub mod cost;
pub mod counts;
mod entities;
pub mod epoch;
pub mod find;
mod groups;
pub mod last_used;
pub mod login;
mod logins;
mod mfa;
mod page;
pub mod passkeys;
mod policies;
pub mod record;
mod roles;
mod scan;
pub mod sign_in;
mod users;

//! Resource Access Management: users and how they sign in, groups, access keys, policies and roles.

pub mod access_keys;
pub mod groups;
pub mod listing;
pub mod logins;
pub mod mfa;
pub mod names;
pub mod passkeys;
pub mod policies;
pub mod roles;
pub mod users;

//! Resource Access Management: users, groups, access keys, policies and roles.

pub mod access_keys;
pub mod groups;
pub mod listing;
pub mod names;
pub mod policies;
pub mod roles;
pub mod users;

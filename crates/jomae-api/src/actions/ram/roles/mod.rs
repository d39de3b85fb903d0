//! Roles: rights that whoever is trusted takes on for a while.

pub mod create_role;
pub mod delete_role;
pub mod get_role;
pub mod list_roles;
pub mod params;
pub mod update_role;

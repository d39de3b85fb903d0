//! Names for keys.

pub mod create_alias;
pub mod delete_alias;
pub mod list_aliases;
pub mod list_aliases_by_key_id;
pub mod update_alias;

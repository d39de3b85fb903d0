//! Keys: make, describe, list, switch, delete.

pub mod cancel_key_deletion;
pub mod create_key;
pub mod describe_key;
pub mod disable_key;
pub mod enable_key;
pub mod get_key_policy;
pub mod list_keys;
pub mod schedule_key_deletion;
pub mod set_deletion_protection;
pub mod set_key_policy;
pub mod update_key_description;

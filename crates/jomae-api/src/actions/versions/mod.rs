//! Versions of keys, and rotation.

pub mod create_key_version;
pub mod describe_key_version;
pub mod list_key_versions;
pub mod update_rotation_policy;

//! Policies, their versions, and to whom they are attached.

pub mod attach_policy_to_group;
pub mod attach_policy_to_role;
pub mod attach_policy_to_user;
pub mod attachments;
pub mod create_policy;
pub mod create_policy_version;
pub mod decode_diagnostic_message;
pub mod delete_policy;
pub mod delete_policy_version;
pub mod detach_policy_from_group;
pub mod detach_policy_from_role;
pub mod detach_policy_from_user;
mod entities;
pub mod get_policy;
pub mod get_policy_version;
pub mod list_entities_for_policy;
pub mod list_policies;
pub mod list_policies_for_group;
pub mod list_policies_for_role;
pub mod list_policies_for_user;
pub mod list_policy_versions;
pub mod params;
pub mod set_default_policy_version;
pub mod update_policy_description;

//! Roles: rights that whoever is trusted takes on for a while. One file an action.

mod create_role;
mod delete_role;
mod get_role;
mod list_roles;
mod update_role;

use jomae_api::{
    actions::ram::roles::params::{RoleOutput, RoleRow},
    names::AccountId,
    time::Timestamp,
};

use super::record::RoleRecord;

/// A role as a row of a list.
fn row(account: &AccountId, role: &RoleRecord) -> RoleRow {
    RoleRow {
        role_id: role.id.clone(),
        role_name: role.name.clone(),
        arn: role.arn(account),
        description: role.description.clone(),
        create_date: Timestamp(role.created),
        update_date: Timestamp(role.updated),
        max_session_duration: role.max_session_secs,
        allow_console_login: false,
        assume_role_policy_document: None,
    }
}

/// A role with who may assume it.
fn output(account: &AccountId, role: &RoleRecord) -> RoleOutput {
    RoleOutput { role: RoleRow { assume_role_policy_document: Some(role.trust.clone()), ..row(account, role) } }
}

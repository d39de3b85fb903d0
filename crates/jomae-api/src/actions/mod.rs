//! Every action of the API, each declared once.

pub mod aliases;
pub mod crypto;
pub mod keys;
pub mod metadata;
pub mod params;
pub mod service;

use crate::action::{Action, ActionSpec};

/// Calls `$each!(path::Type)` for every action: the one list from which routes, documents and tests are made.
#[macro_export]
macro_rules! for_each_action {
    ($each:ident) => {
        $each! {
            keys::create_key::CreateKey,
            keys::describe_key::DescribeKey,
            keys::list_keys::ListKeys,
            keys::update_key_description::UpdateKeyDescription,
            keys::enable_key::EnableKey,
            keys::disable_key::DisableKey,
            keys::schedule_key_deletion::ScheduleKeyDeletion,
            keys::cancel_key_deletion::CancelKeyDeletion,
            keys::set_deletion_protection::SetDeletionProtection,
            crypto::encrypt::Encrypt,
            crypto::decrypt::Decrypt,
            crypto::generate_data_key::GenerateDataKey,
            crypto::generate_data_key_without_plaintext::GenerateDataKeyWithoutPlaintext,
            aliases::create_alias::CreateAlias,
            aliases::update_alias::UpdateAlias,
            aliases::delete_alias::DeleteAlias,
            aliases::list_aliases::ListAliases,
            aliases::list_aliases_by_key_id::ListAliasesByKeyId,
            service::describe_regions::DescribeRegions,
            service::describe_account_kms_status::DescribeAccountKmsStatus,
        }
    };
}

macro_rules! specs {
    ($($($part:ident)::+),* $(,)?) => {
        /// What every action declares, in the order of the reference.
        pub const ACTIONS: &[&ActionSpec] = &[$(&<$($part)::+ as Action>::SPEC),*];
    };
}
for_each_action!(specs);

/// The declaration of the action of this name.
pub fn find(name: &str) -> Option<&'static ActionSpec> {
    ACTIONS.iter().copied().find(|spec| spec.name == name)
}

//! Every action of the API, each declared once.

pub mod aliases;
pub mod crypto;
pub mod import;
pub mod keys;
pub mod metadata;
pub mod params;
pub mod service;
pub mod tags;
pub mod versions;

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
            keys::get_key_policy::GetKeyPolicy,
            keys::set_key_policy::SetKeyPolicy,
            versions::create_key_version::CreateKeyVersion,
            versions::describe_key_version::DescribeKeyVersion,
            versions::list_key_versions::ListKeyVersions,
            versions::update_rotation_policy::UpdateRotationPolicy,
            import::get_parameters_for_import::GetParametersForImport,
            import::import_key_material::ImportKeyMaterial,
            import::delete_key_material::DeleteKeyMaterial,
            crypto::encrypt::Encrypt,
            crypto::decrypt::Decrypt,
            crypto::generate_data_key::GenerateDataKey,
            crypto::generate_data_key_without_plaintext::GenerateDataKeyWithoutPlaintext,
            crypto::re_encrypt::ReEncrypt,
            crypto::export_data_key::ExportDataKey,
            crypto::generate_and_export_data_key::GenerateAndExportDataKey,
            crypto::asymmetric_encrypt::AsymmetricEncrypt,
            crypto::asymmetric_decrypt::AsymmetricDecrypt,
            crypto::asymmetric_sign::AsymmetricSign,
            crypto::asymmetric_verify::AsymmetricVerify,
            crypto::get_public_key::GetPublicKey,
            crypto::generate_mac::GenerateMac,
            crypto::verify_mac::VerifyMac,
            aliases::create_alias::CreateAlias,
            aliases::update_alias::UpdateAlias,
            aliases::delete_alias::DeleteAlias,
            aliases::list_aliases::ListAliases,
            aliases::list_aliases_by_key_id::ListAliasesByKeyId,
            tags::tag_resource::TagResource,
            tags::untag_resource::UntagResource,
            tags::list_resource_tags::ListResourceTags,
            tags::tag_resources::TagResources,
            tags::untag_resources::UntagResources,
            tags::list_tag_resources::ListTagResources,
            service::describe_regions::DescribeRegions,
            service::describe_account_kms_status::DescribeAccountKmsStatus,
            service::open_kms_service::OpenKmsService,
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

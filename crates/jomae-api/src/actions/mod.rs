//! Every action of the API, each declared once.

pub mod aliases;
pub mod crypto;
pub mod import;
pub mod keys;
pub mod metadata;
pub mod params;
pub(crate) mod prelude;
pub mod ram;
pub mod service;
pub mod sts;
pub mod tags;
pub mod trail;
pub mod versions;

use std::sync::LazyLock;

use crate::{
    action::{Action, ActionSpec},
    api::Api,
};

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
            service::describe_server::DescribeServer,
            ram::users::create_user::CreateUser,
            ram::users::get_user::GetUser,
            ram::users::update_user::UpdateUser,
            ram::users::delete_user::DeleteUser,
            ram::users::list_users::ListUsers,
            ram::groups::create_group::CreateGroup,
            ram::groups::get_group::GetGroup,
            ram::groups::update_group::UpdateGroup,
            ram::groups::delete_group::DeleteGroup,
            ram::groups::list_groups::ListGroups,
            ram::groups::add_user_to_group::AddUserToGroup,
            ram::groups::remove_user_from_group::RemoveUserFromGroup,
            ram::groups::list_groups_for_user::ListGroupsForUser,
            ram::groups::list_users_for_group::ListUsersForGroup,
            ram::access_keys::create_access_key::CreateAccessKey,
            ram::access_keys::update_access_key::UpdateAccessKey,
            ram::access_keys::delete_access_key::DeleteAccessKey,
            ram::access_keys::list_access_keys::ListAccessKeys,
            ram::access_keys::get_access_key_last_used::GetAccessKeyLastUsed,
            ram::logins::create_login_profile::CreateLoginProfile,
            ram::logins::get_login_profile::GetLoginProfile,
            ram::logins::update_login_profile::UpdateLoginProfile,
            ram::logins::delete_login_profile::DeleteLoginProfile,
            ram::logins::change_password::ChangePassword,
            ram::logins::get_password_policy::GetPasswordPolicy,
            ram::logins::set_password_policy::SetPasswordPolicy,
            ram::mfa::create_virtual_mfa_device::CreateVirtualMFADevice,
            ram::mfa::delete_virtual_mfa_device::DeleteVirtualMFADevice,
            ram::mfa::list_virtual_mfa_devices::ListVirtualMFADevices,
            ram::mfa::bind_mfa_device::BindMFADevice,
            ram::mfa::unbind_mfa_device::UnbindMFADevice,
            ram::mfa::get_user_mfa_info::GetUserMFAInfo,
            ram::passkeys::create_passkey::CreatePasskey,
            ram::passkeys::list_passkeys::ListPasskeys,
            ram::passkeys::delete_passkey::DeletePasskey,
            ram::policies::create_policy::CreatePolicy,
            ram::policies::get_policy::GetPolicy,
            ram::policies::update_policy_description::UpdatePolicyDescription,
            ram::policies::delete_policy::DeletePolicy,
            ram::policies::list_policies::ListPolicies,
            ram::policies::create_policy_version::CreatePolicyVersion,
            ram::policies::get_policy_version::GetPolicyVersion,
            ram::policies::delete_policy_version::DeletePolicyVersion,
            ram::policies::list_policy_versions::ListPolicyVersions,
            ram::policies::set_default_policy_version::SetDefaultPolicyVersion,
            ram::policies::attach_policy_to_user::AttachPolicyToUser,
            ram::policies::detach_policy_from_user::DetachPolicyFromUser,
            ram::policies::list_policies_for_user::ListPoliciesForUser,
            ram::policies::attach_policy_to_group::AttachPolicyToGroup,
            ram::policies::detach_policy_from_group::DetachPolicyFromGroup,
            ram::policies::list_policies_for_group::ListPoliciesForGroup,
            ram::policies::attach_policy_to_role::AttachPolicyToRole,
            ram::policies::detach_policy_from_role::DetachPolicyFromRole,
            ram::policies::list_policies_for_role::ListPoliciesForRole,
            ram::policies::list_entities_for_policy::ListEntitiesForPolicy,
            ram::policies::decode_diagnostic_message::DecodeDiagnosticMessage,
            ram::roles::create_role::CreateRole,
            ram::roles::get_role::GetRole,
            ram::roles::update_role::UpdateRole,
            ram::roles::delete_role::DeleteRole,
            ram::roles::list_roles::ListRoles,
            sts::assume_role::AssumeRole,
            sts::assume_role_with_oidc::AssumeRoleWithOIDC,
            sts::get_caller_identity::GetCallerIdentity,
            trail::lookup_events::LookupEvents,
        }
    };
}

macro_rules! specs {
    ($($($part:ident)::+),* $(,)?) => {
        /// What every action declares, in the order of the reference.
        pub const ACTIONS: &[&ActionSpec] = &[$(&<$($part)::+ as Action>::SPEC),*];

        const OF_ACTIONS: &[(&ActionSpec, &[&str])] = &[$(with_permissions::<$($part)::+>()),*];
    };
}
for_each_action!(specs);

const fn with_permissions<A: Action>() -> (&'static ActionSpec, &'static [&'static str]) {
    (&A::SPEC, if A::SPEC.permissions.is_empty() { &[A::PERMISSION] } else { A::SPEC.permissions })
}

/// Every permission that exists here, `<service>:<name>`, in the order of the actions.
pub fn permissions() -> &'static [&'static str] {
    static ALL: LazyLock<Vec<&'static str>> =
        LazyLock::new(|| OF_ACTIONS.iter().flat_map(|(_, permissions)| *permissions).copied().collect());
    &ALL
}

/// Whether a key policy can give the permission to principals of other accounts.
pub fn is_shareable(permission: &str) -> bool {
    static SHAREABLE: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let shareable = OF_ACTIONS.iter().filter(|(spec, _)| spec.shareable);
        shareable.flat_map(|(_, permissions)| *permissions).copied().collect()
    });
    SHAREABLE.contains(&permission)
}

/// The declaration of the action of this name. No two APIs have actions of one name here.
pub fn find(name: &str) -> Option<&'static ActionSpec> {
    ACTIONS.iter().copied().find(|spec| spec.name == name)
}

/// The API whose requests name this version.
pub fn api_of_version(version: &str) -> Option<Api> {
    Api::ALL.into_iter().find(|api| api.version() == version)
}

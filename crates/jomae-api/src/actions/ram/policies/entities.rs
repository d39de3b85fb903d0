//! What users, groups and roles are to the actions that attach policies.

use super::{
    attach_policy_to_group, attach_policy_to_role, attach_policy_to_user,
    attachments::{Entity, Group, Role, User},
    detach_policy_from_group, detach_policy_from_role, detach_policy_from_user, list_policies_for_group,
    list_policies_for_role, list_policies_for_user,
};
use crate::{
    action::{ActionSpec, RamKind},
    actions::ram::{
        names::{GROUP_NAME, USER_NAME},
        roles::params::ROLE_NAME,
    },
    error::Refusal,
    param::Param,
};

macro_rules! entities {
    ($($name:ident $param:ident
        [$not_found:ident $exists:ident $limit:ident]
        [$attached:ident $not_attached:ident $too_many:ident] [$attach:ident $detach:ident $list:ident];)*) => {$(
        impl Entity for $name {
            const KIND: RamKind = RamKind::$name;
            const NAME: &'static Param<String> = &$param;
            const NOT_FOUND: Refusal = Refusal::$not_found;
            const EXISTS: Refusal = Refusal::$exists;
            const LIMIT: Refusal = Refusal::$limit;
            const ATTACHED_ALREADY: Refusal = Refusal::$attached;
            const NOT_ATTACHED: Refusal = Refusal::$not_attached;
            const TOO_MANY: Refusal = Refusal::$too_many;
            const ATTACH: ActionSpec = $attach::SHEET;
            const DETACH: ActionSpec = $detach::SHEET;
            const LIST: ActionSpec = $list::SHEET;
        }
    )*};
}
entities! {
    User USER_NAME
        [UserNotFound UserExists UserLimit]
        [UserPolicyExists UserPolicyNotFound UserPoliciesLimit]
        [attach_policy_to_user detach_policy_from_user list_policies_for_user];
    Group GROUP_NAME
        [GroupNotFound GroupExists GroupLimit]
        [GroupPolicyExists GroupPolicyNotFound GroupPoliciesLimit]
        [attach_policy_to_group detach_policy_from_group list_policies_for_group];
    Role ROLE_NAME
        [RoleNotFound RoleExists RolesLimit]
        [RolePolicyExists RolePolicyNotFound RolePoliciesLimit]
        [attach_policy_to_role detach_policy_from_role list_policies_for_role];
}

//! Attaching policies to users, groups and roles: the same three actions for each. What they are called and what is said
//! of them stands in the file of each.

use std::marker::PhantomData;

use super::{
    attach_policy_to_group, attach_policy_to_role, attach_policy_to_user, detach_policy_from_group,
    detach_policy_from_role, detach_policy_from_user, list_policies_for_group, list_policies_for_role,
    list_policies_for_user,
    params::{AttachedOutput, POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID},
};
use crate::actions::{
    prelude::*,
    ram::{
        names::{GROUP_NAME, USER_NAME},
        roles::params::ROLE_NAME,
    },
};

/// A kind of thing that policies are attached to.
pub trait Entity: Send + Sync + 'static {
    const KIND: RamKind;
    /// The parameter that names one.
    const NAME: &'static Param<String>;
    const NOT_FOUND: Refusal;
    const EXISTS: Refusal;
    const LIMIT: Refusal;
    const ATTACHED_ALREADY: Refusal;
    const NOT_ATTACHED: Refusal;
    const TOO_MANY: Refusal;
    /// The sheets of the three actions.
    const ATTACH: ActionSpec;
    const DETACH: ActionSpec;
    const LIST: ActionSpec;
}

macro_rules! entities {
    ($($(#[$doc:meta])* $name:ident $param:ident
        [$not_found:ident $exists:ident $limit:ident]
        [$attached:ident $not_attached:ident $too_many:ident] [$attach:ident $detach:ident $list:ident];)*) => {$(
        $(#[$doc])*
        pub struct $name;

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
    /// RAM users.
    User USER_NAME
        [UserNotFound UserExists UserLimit]
        [UserPolicyExists UserPolicyNotFound UserPoliciesLimit]
        [attach_policy_to_user detach_policy_from_user list_policies_for_user];
    /// RAM groups.
    Group GROUP_NAME
        [GroupNotFound GroupExists GroupLimit]
        [GroupPolicyExists GroupPolicyNotFound GroupPoliciesLimit]
        [attach_policy_to_group detach_policy_from_group list_policies_for_group];
    /// RAM roles.
    Role ROLE_NAME
        [RoleNotFound RoleExists RolesLimit]
        [RolePolicyExists RolePolicyNotFound RolePoliciesLimit]
        [attach_policy_to_role detach_policy_from_role list_policies_for_role];
}

/// One policy and one entity.
struct Pair {
    policy: PolicyRef,
    entity: String,
}

impl Pair {
    fn parse<E: Entity>(input: Input<'_>) -> Result<Self, Refusal> {
        let policy = PolicyRef::parse(input)?;
        let entity = input.required(E::NAME)?;
        input.optional(&RESOURCE_GROUP_ID)?;
        Ok(Self { policy, entity })
    }
}

/// Gives an entity the rights of a policy.
pub struct Attach<E> {
    pub policy: PolicyRef,
    /// Its name.
    pub entity: String,
    kind: PhantomData<E>,
}

/// Takes the rights of a policy from an entity.
pub struct Detach<E> {
    pub policy: PolicyRef,
    /// Its name.
    pub entity: String,
    kind: PhantomData<E>,
}

/// The policies of an entity.
pub struct ListPolicies<E> {
    /// Its name.
    pub entity: String,
    kind: PhantomData<E>,
}

macro_rules! of_policy_and_entity {
    ($($action:ident $sheet:ident [$($error:expr),*];)*) => {$(
        impl<E: Entity> Parameters for $action<E> {
            const PARAMS: &[Use] =
                &[required(&POLICY_TYPE), required(&POLICY_NAME), required(E::NAME), optional(&RESOURCE_GROUP_ID)];

            fn parse(input: Input<'_>) -> Result<Self, Refusal> {
                let Pair { policy, entity } = Pair::parse::<E>(input)?;
                Ok(Self { policy, entity, kind: PhantomData })
            }
        }

        impl<E: Entity> Action for $action<E> {
            type Output = Empty;
            const SHEET: ActionSpec = ActionSpec { errors: &[$($error),*], ..E::$sheet };

            fn access(&self) -> Access<'_> {
                Self::on_both(Target::Ram(E::KIND, &self.entity), self.policy.target())
            }
        }
    )*};
}
of_policy_and_entity! {
    Attach ATTACH [
        E::NOT_FOUND,
        Refusal::PolicyNotFound,
        E::ATTACHED_ALREADY,
        E::TOO_MANY,
        Refusal::PolicyCost(TooCostly::ANY)
    ];
    Detach DETACH [E::NOT_FOUND, Refusal::PolicyNotFound, E::NOT_ATTACHED];
}

impl<E: Entity> Parameters for ListPolicies<E> {
    const PARAMS: &[Use] = &[required(E::NAME)];

    fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { entity: input.required(E::NAME)?, kind: PhantomData })
    }
}

impl<E: Entity> Action for ListPolicies<E> {
    type Output = AttachedOutput;
    const SHEET: ActionSpec = ActionSpec { errors: &[E::NOT_FOUND], ..E::LIST };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Ram(E::KIND, &self.entity))
    }
}

//! Attaching policies to users, groups and roles: the same three actions for each. What they are called and what is said
//! of them stands in the file of each.

use std::marker::PhantomData;

use super::params::{AttachedOutput, POLICY_NAME, POLICY_TYPE, PolicyRef, RESOURCE_GROUP_ID};
use crate::actions::prelude::*;

/// A kind of thing that policies are attached to.
pub trait Entity: Send + Sync + 'static {
    /// As it stands in resource names.
    const KIND: RamKind;
    /// The parameter that names one.
    const NAME: &'static Param<String>;
    /// `EntityNotExist`.
    const NOT_FOUND: Refusal;
    /// `EntityAlreadyExists`.
    const EXISTS: Refusal;
    /// The account has as many as it may have.
    const LIMIT: Refusal;
    /// `EntityAlreadyExists` of the attachment.
    const ATTACHED_ALREADY: Refusal;
    /// `EntityNotExist` of the attachment.
    const NOT_ATTACHED: Refusal;
    /// The entity has as many policies as it may have.
    const TOO_MANY: Refusal;
    /// The sheets of the three actions.
    const ATTACH: ActionSpec;
    /// Of [`Detach`].
    const DETACH: ActionSpec;
    /// Of [`ListPolicies`].
    const LIST: ActionSpec;
}

/// RAM users.
pub struct User;

/// RAM groups.
pub struct Group;

/// RAM roles.
pub struct Role;

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
    /// What it gets.
    pub policy: PolicyRef,
    /// Its name.
    pub entity: String,
    kind: PhantomData<E>,
}

/// Takes the rights of a policy from an entity.
pub struct Detach<E> {
    /// What it loses.
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

//! Attachments: a policy in the record of a user, group or role, an entry in the index of the policy, and the number
//! in the policy's own record, all in one commit.

use jomae_api::actions::ram::policies::{
    attachments::{self, Attach, Detach, Entity, ListPolicies},
    params::{AttachedOutput, AttachedRow, PolicyRef, PolicyType, version_id},
};

use super::{AnyPolicy, found};
use crate::{
    policy::system_policy,
    prelude::*,
    ram::{
        cost, find,
        record::{Attached, AttachedRecord, EntityRecord, GroupRecord, PolicyRecord, RoleRecord, UserRecord, path},
    },
};

/// The records of a kind of entities.
pub trait Recorded: Entity {
    type Record: EntityRecord<Of = Self>;
}

impl Recorded for attachments::User {
    type Record = UserRecord;
}

impl Recorded for attachments::Group {
    type Record = GroupRecord;
}

impl Recorded for attachments::Role {
    type Record = RoleRecord;
}

impl<E: Recorded> Handle<Attach<E>> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, Attach<E>>) -> Result<Empty> {
        let action = granted.action();
        let entity = find::entity::<E::Record>(tx, call.caller.account(), &action.entity)?;
        attach(call, tx, &*entity, &action.policy)
    }
}

impl<E: Recorded> Handle<Detach<E>> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, Detach<E>>) -> Result<Empty> {
        let action = granted.action();
        let entity = find::entity::<E::Record>(tx, call.caller.account(), &action.entity)?;
        detach(call, tx, &*entity, &action.policy)
    }
}

impl<E: Recorded> Handle<ListPolicies<E>> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListPolicies<E>>,
    ) -> Result<AttachedOutput> {
        let entity = find::entity::<E::Record>(tx, call.caller.account(), &granted.action().entity)?;
        attached(call, tx, &*entity)
    }
}

/// Attaches a policy to a entity, or refuses what is attached already.
fn attach<R: EntityRecord>(call: &Call<'_>, tx: &mut Tx<'_>, entity: &R, policy: &PolicyRef) -> Result<Empty> {
    let account = call.caller.account();
    let found = found(tx, account, policy)?;
    let kind = policy.kind;
    if entity.policies().iter().any(|attached| is_of(attached, policy)) {
        return Err(R::Of::ATTACHED_ALREADY.into());
    }
    let most = match kind {
        PolicyType::System => limits::RAM_SYSTEM_POLICIES_ATTACHED_MAX,
        PolicyType::Custom => limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX,
    };
    if entity.policies().iter().filter(|attached| attached.kind == kind).count() >= most {
        return Err(R::Of::TOO_MANY.into());
    }
    let at = call.now.0;
    let mut changed = entity.clone();
    changed.policies_mut().push(Attached { kind, name: policy.name.clone(), at });
    cost::check_holder(tx, account, &changed)?;
    tx.put(path::entity(account, R::KIND, entity.id()), &changed)?;
    tx.put(path::attached(account, (kind, &policy.name), R::KIND, entity.id()), &AttachedRecord { at })?;
    count(tx, account, found, |attachments| attachments.saturating_add(1))
}

/// Detaches a policy from a entity, or refuses what is not attached.
fn detach<R: EntityRecord>(call: &Call<'_>, tx: &mut Tx<'_>, entity: &R, policy: &PolicyRef) -> Result<Empty> {
    let account = call.caller.account();
    let found = found(tx, account, policy)?;
    if !entity.policies().iter().any(|attached| is_of(attached, policy)) {
        return Err(R::Of::NOT_ATTACHED.into());
    }
    let mut changed = entity.clone();
    changed.policies_mut().retain(|attached| !is_of(attached, policy));
    tx.put(path::entity(account, R::KIND, entity.id()), &changed)?;
    tx.delete::<AttachedRecord>(path::attached(account, (policy.kind, &policy.name), R::KIND, entity.id()));
    count(tx, account, found, |attachments| attachments.saturating_sub(1))
}

/// The policies of a entity, in the order of their attachment.
fn attached<R: EntityRecord>(call: &Call<'_>, tx: &mut Tx<'_>, entity: &R) -> Result<AttachedOutput> {
    let account = call.caller.account();
    let mut rows = Vec::with_capacity(entity.policies().len());
    for attached in entity.policies() {
        let about = match attached.kind {
            PolicyType::System => {
                system_policy(&attached.name).map(|system| (system.description.to_owned(), system.version.to_owned()))
            }
            PolicyType::Custom => tx
                .get::<PolicyRecord>(&path::policy(account, &attached.name))?
                .map(|policy| (policy.description.clone(), version_id(policy.default_version))),
        };
        // Detached and deleted since the entity was read.
        let Some((description, default_version)) = about else { continue };
        rows.push(AttachedRow {
            policy_name: attached.name.clone(),
            policy_type: attached.kind,
            description,
            default_version,
            attach_date: Timestamp(attached.at),
        });
    }
    Ok(AttachedOutput { policies: List(rows) })
}

fn is_of(attached: &Attached, policy: &PolicyRef) -> bool {
    attached.kind == policy.kind && attached.name == policy.name
}

/// Keeps the number of attachments in a policy of the account. It also makes attaching and deleting exclude each
/// other.
fn count(tx: &mut Tx<'_>, account: &AccountId, found: AnyPolicy, change: fn(u32) -> u32) -> Result<Empty> {
    if let AnyPolicy::Custom(policy) = found {
        let attachments = change(policy.attachments);
        tx.put(path::policy(account, &policy.name), &PolicyRecord { attachments, ..(*policy).clone() })?;
    }
    Ok(Empty {})
}

//! Attachments: a policy in the record of a user, group or role, an entry in the index of the policy, and the number
//! in the policy's own record, all in one commit.

use jomae_api::{
    action::Empty,
    actions::ram::policies::params::{AttachedOutput, AttachedRow, PolicyRef, PolicyType, version_id},
    answer::List,
    error::Refusal,
    limits,
    names::AccountId,
    time::Timestamp,
};

use super::{Found, found};
use crate::{
    error::Error,
    policy::system_policy,
    ram::{
        cost,
        record::{
            Attached, AttachedRecord, Holder, PolicyKind, PolicyRecord,
            path::{self, Entity},
        },
    },
    run::Call,
    tx::Tx,
};

/// Attaches a policy to a holder, or refuses what is attached already.
pub fn attach<R: Holder>(call: &Call, tx: &mut Tx<'_>, holder: &R, policy: &PolicyRef) -> Result<Empty, Error> {
    let account = call.caller.account();
    let found = found(tx, account, policy)?;
    let words = words(R::KIND);
    let kind = PolicyKind::from(policy.kind);
    if holder.policies().iter().any(|attached| is_of(attached, policy)) {
        return Err(words.attached_already.into());
    }
    let most = match kind {
        PolicyKind::System => limits::RAM_SYSTEM_POLICIES_ATTACHED_MAX,
        PolicyKind::Custom => limits::RAM_CUSTOM_POLICIES_ATTACHED_MAX,
    };
    if holder.policies().iter().filter(|attached| attached.kind == kind).count() >= most {
        return Err(words.too_many.into());
    }
    let at = call.now.0;
    let mut changed = holder.clone();
    changed.policies_mut().push(Attached { kind, name: policy.name.clone(), at });
    cost::check_holder(tx, account, &changed)?;
    tx.put(path::entity(account, R::KIND, holder.id()), &changed)?;
    tx.put(path::attached(account, (kind, &policy.name), R::KIND, holder.id()), &AttachedRecord { at })?;
    count(tx, account, found, |attachments| attachments.saturating_add(1))
}

/// Detaches a policy from a holder, or refuses what is not attached.
pub fn detach<R: Holder>(call: &Call, tx: &mut Tx<'_>, holder: &R, policy: &PolicyRef) -> Result<Empty, Error> {
    let account = call.caller.account();
    let found = found(tx, account, policy)?;
    if !holder.policies().iter().any(|attached| is_of(attached, policy)) {
        return Err(words(R::KIND).not_attached.into());
    }
    let mut changed = holder.clone();
    changed.policies_mut().retain(|attached| !is_of(attached, policy));
    tx.put(path::entity(account, R::KIND, holder.id()), &changed)?;
    tx.delete(path::attached(account, (policy.kind.into(), &policy.name), R::KIND, holder.id()));
    count(tx, account, found, |attachments| attachments.saturating_sub(1))
}

/// The policies of a holder, in the order of their attachment.
pub fn attached<R: Holder>(call: &Call, tx: &mut Tx<'_>, holder: &R) -> Result<AttachedOutput, Error> {
    let account = call.caller.account();
    let mut rows = Vec::with_capacity(holder.policies().len());
    for attached in holder.policies() {
        let about = match attached.kind {
            PolicyKind::System => {
                system_policy(&attached.name).map(|system| (system.description.to_owned(), system.version.to_owned()))
            }
            PolicyKind::Custom => tx
                .get::<PolicyRecord>(&path::policy(account, &attached.name))?
                .map(|policy| (policy.description.clone(), version_id(policy.default_version))),
        };
        // Detached and deleted since the holder was read.
        let Some((description, default_version)) = about else { continue };
        rows.push(AttachedRow {
            policy_name: attached.name.clone(),
            policy_type: PolicyType::from(attached.kind),
            description,
            default_version,
            attach_date: Timestamp(attached.at),
        });
    }
    Ok(AttachedOutput { policies: List(rows) })
}

fn is_of(attached: &Attached, policy: &PolicyRef) -> bool {
    attached.kind == PolicyKind::from(policy.kind) && attached.name == policy.name
}

/// Keeps the number of attachments in a policy of the account. It also makes attaching and deleting exclude each
/// other.
fn count(tx: &mut Tx<'_>, account: &AccountId, found: Found, change: fn(u32) -> u32) -> Result<Empty, Error> {
    if let Found::Custom(policy) = found {
        let attachments = change(policy.attachments);
        tx.put(path::policy(account, &policy.name), &PolicyRecord { attachments, ..(*policy).clone() })?;
    }
    Ok(Empty {})
}

/// What the kinds of holders are refused with.
struct Words {
    attached_already: Refusal,
    not_attached: Refusal,
    too_many: Refusal,
}

const fn words(kind: Entity) -> Words {
    match kind {
        Entity::User => Words {
            attached_already: Refusal::UserPolicyExists,
            not_attached: Refusal::UserPolicyNotFound,
            too_many: Refusal::UserPoliciesLimit,
        },
        Entity::Group => Words {
            attached_already: Refusal::GroupPolicyExists,
            not_attached: Refusal::GroupPolicyNotFound,
            too_many: Refusal::GroupPoliciesLimit,
        },
        Entity::Role => Words {
            attached_already: Refusal::RolePolicyExists,
            not_attached: Refusal::RolePolicyNotFound,
            too_many: Refusal::RolePoliciesLimit,
        },
    }
}

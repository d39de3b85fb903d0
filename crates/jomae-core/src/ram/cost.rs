//! What the policies of a principal cost to ask: refused when they are written or attached, so that no decision has to
//! be broken off.

use jomae_api::{
    limits::{KEY_POLICY_STEPS_MAX, POLICY_STEPS_MAX},
    policy::{Form, Policy, TooCostly, parse},
};

use super::record::{Attached, EntityRecord, GroupRecord, PolicyRecord, PolicyType, path};
use crate::{
    policy::{Compiled, system_policy},
    prelude::*,
};

/// Most steps of a document, which was read before.
fn of_text(text: &str, form: Form) -> Result<u64, Fault> {
    let policy = parse(text, form).map_err(|error| Fault::internal(format!("a policy that was read: {error}")))?;
    Ok(Compiled::of(&policy).steps_max())
}

/// Refuses the document of a policy that nobody could have.
pub fn check_policy(document: &str) -> Result<()> {
    check(of_text(document, Form::Identity)?)
}

/// Refuses a session policy beside the policies of its role.
pub fn check_session(tx: &mut Tx<'_>, account: &AccountId, role: &[Attached], document: &str) -> Result<()> {
    let of_role = of_attached(tx, account, role)?;
    check(of_role.saturating_add(of_text(document, Form::Session)?))
}

/// Refuses the trust policy of a role.
pub fn check_trust(document: &str) -> Result<()> {
    match too_costly(of_text(document, Form::Trust)?, KEY_POLICY_STEPS_MAX) {
        Some(cost) => Err(Refusal::PolicyCost(cost).into()),
        None => Ok(()),
    }
}

/// Refuses the policy of a key.
pub fn check_key_policy(policy: &Policy) -> Result<()> {
    match too_costly(Compiled::of(policy).steps_max(), KEY_POLICY_STEPS_MAX) {
        Some(cost) => Err(Refusal::KeyPolicyCost(cost).into()),
        None => Ok(()),
    }
}

/// Refuses what somebody would have, as the record will be: the policies of its own, and of a user those of its groups.
/// What a group is given counts for the group alone, since its users may be thousands: who then has too much is denied
/// by the budget of each decision.
pub fn check_holder<R: EntityRecord>(tx: &mut Tx<'_>, account: &AccountId, holder: &R) -> Result<()> {
    let mut steps = of_attached(tx, account, holder.policies())?;
    for (id, _) in holder.groups() {
        // One that was deleted since the user was read: the commit will notice.
        if let Some(group) = tx.get::<GroupRecord>(&path::group(account, id))? {
            steps = steps.saturating_add(of_attached(tx, account, &group.policies)?);
        }
    }
    check(steps)
}

fn of_attached(tx: &mut Tx<'_>, account: &AccountId, attached: &[Attached]) -> Result<u64, Fault> {
    let mut steps = 0_u64;
    for Attached { kind, name, .. } in attached {
        let of_policy = match kind {
            PolicyType::System => system_policy(name).map(|policy| policy.compiled().steps_max()),
            PolicyType::Custom => match tx.get::<PolicyRecord>(&path::policy(account, name))? {
                Some(policy) => Some(policy.compiled()?.steps_max()),
                None => None,
            },
        };
        steps = steps.saturating_add(of_policy.unwrap_or(0));
    }
    Ok(steps)
}

fn check(steps: u64) -> Result<()> {
    match too_costly(steps, POLICY_STEPS_MAX) {
        Some(cost) => Err(Refusal::PolicyCost(cost).into()),
        None => Ok(()),
    }
}

fn too_costly(steps: u64, budget: u64) -> Option<TooCostly> {
    (steps > budget).then_some(TooCostly { steps, budget })
}

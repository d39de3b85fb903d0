use jomae_api::actions::ram::{
    listing::marker_after,
    policies::{
        list_policies::{ListPolicies, Output},
        params::PolicyType,
    },
};

use super::{custom_row, system_row};
use crate::{
    policy::system_policies,
    prelude::*,
    ram::{
        record::{PolicyRecord, path},
        scan,
    },
};

/// What stands before the name in a marker: one letter, since there are two lists in one.
const OF_SYSTEM: &str = "S";
const OF_CUSTOM: &str = "C";

impl Handle<ListPolicies> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListPolicies>) -> Result<Output> {
        let (account, action) = (call.caller.account(), granted.action());
        let rows_max = action.listing.rows_max;
        let (mut after_system, mut after_custom) = (None, None);
        let mut kinds =
            [PolicyType::System, PolicyType::Custom].map(|kind| action.kind.is_none_or(|only| only == kind));
        if let Some(after) = &action.listing.after {
            // A marker of another list, or one that we have never given.
            let bad = Error::from(Refusal::ParameterInvalid("Marker"));
            let Some((tag, name)) = after.split_at_checked(1) else { return Err(bad) };
            match (tag, kinds) {
                (OF_SYSTEM, [true, _]) => after_system = Some(name),
                (OF_CUSTOM, [_, true]) => (kinds[0], after_custom) = (false, Some(name)),
                _ => return Err(bad),
            }
        }
        let [with_system, with_custom] = kinds;
        let mut policy = Vec::new();
        let mut rest = system_policies()
            .iter()
            .filter(|system| with_system && after_system.is_none_or(|after| system.name > after));
        for system in rest.by_ref().take(rows_max) {
            policy.push(system_row(tx, account, system)?);
        }
        let mut last = policy.last().map(|row| format!("{OF_SYSTEM}{}", row.policy_name));
        let mut more = rest.next().is_some();
        if with_custom && !more {
            let (names, names_more) = scan::names(tx, &path::policies(account), after_custom, rows_max - policy.len())?;
            last = names.last().map(|name| format!("{OF_CUSTOM}{name}")).or(last);
            more = names_more;
            for name in names {
                // Deleted since the page was found: it is no row any more.
                if let Some(record) = tx.get::<PolicyRecord>(&path::policy(account, &name))? {
                    policy.push(custom_row(&record));
                }
            }
        }
        let marker = last.filter(|_| more).map(|last| marker_after(&last));
        Ok(Output { policies: List(policy), is_truncated: more, marker })
    }
}

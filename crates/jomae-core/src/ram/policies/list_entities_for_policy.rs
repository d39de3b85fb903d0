use jomae_api::actions::ram::policies::list_entities_for_policy::{
    GroupRow, ListEntitiesForPolicy, Output, RoleRow, UserRow,
};

use super::found;
use crate::{
    prelude::*,
    ram::{
        record::{EntityRecord, GroupRecord, PolicyType, RoleRecord, UserRecord, path},
        scan,
    },
    wait::{RECORDS_PER_YIELD, yield_now},
};

/// One policy of one account.
struct Of<'a> {
    account: &'a AccountId,
    policy: (PolicyType, &'a str),
}

impl Of<'_> {
    /// A row for each holder of a kind. The index says who may be one; the holder's own record decides.
    async fn holders<R: EntityRecord, T>(
        &self,
        tx: &mut Tx<'_>,
        row: impl Fn(&R, Timestamp) -> T,
    ) -> Result<Vec<T>, Fault> {
        let prefix = path::attached_to(self.account, self.policy, R::KIND);
        let (ids, _) = scan::names(tx, &prefix, None, HOLDERS_MAX)?;
        let mut rows = Vec::new();
        for (number, id) in ids.into_iter().enumerate() {
            if number % RECORDS_PER_YIELD == RECORDS_PER_YIELD - 1 {
                yield_now().await;
            }
            let Some(holder) = tx.get::<R>(&path::entity(self.account, R::KIND, &id))? else { continue };
            let (kind, name) = self.policy;
            let attached = holder.policies().iter().find(|attached| attached.kind == kind && attached.name == name);
            if let Some(attached) = attached {
                rows.push(row(&holder, Timestamp(attached.at)));
            }
        }
        Ok(rows)
    }
}

/// Most rows of a kind. The list has no pages; no account can have more users, groups or roles.
const HOLDERS_MAX: usize = 5000;

impl Handle<ListEntitiesForPolicy> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListEntitiesForPolicy>,
    ) -> Result<Output> {
        let (account, policy) = (call.caller.account(), &granted.action().policy);
        found(tx, account, policy)?;
        let of = Of { account, policy: (policy.kind, &policy.name) };
        let user = of
            .holders::<UserRecord, _>(tx, |user, attach_date| UserRow {
                user_id: user.id.clone(),
                user_name: user.name.clone(),
                display_name: user.display_name.clone(),
                attach_date,
            })
            .await?;
        let group = of
            .holders::<GroupRecord, _>(tx, |group, attach_date| GroupRow {
                group_name: group.name.clone(),
                comments: group.comments.clone(),
                attach_date,
            })
            .await?;
        let role = of
            .holders::<RoleRecord, _>(tx, |role, attach_date| RoleRow {
                role_id: role.id.clone(),
                role_name: role.name.clone(),
                arn: role.arn(account),
                description: role.description.clone(),
                attach_date,
            })
            .await?;
        Ok(Output { users: List(user), groups: List(group), roles: List(role) })
    }
}

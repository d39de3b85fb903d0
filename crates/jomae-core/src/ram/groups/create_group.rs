use jomae_api::actions::ram::groups::{GroupInfo, GroupOutput, create_group::CreateGroup};

use super::info;
use crate::{
    identity::new_entity_id,
    prelude::*,
    quota::is_full,
    ram::{
        counts,
        record::{
            GroupRecord, NameRecord,
            path::{self, Entity},
        },
    },
};

impl Handle<CreateGroup> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, CreateGroup>) -> Result<GroupOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let named = path::name(account, Entity::Group, &action.group_name);
        if tx.get::<NameRecord>(&named)?.is_some() {
            return Err(Refusal::GroupExists.into());
        }
        let mut counts = counts::of(tx, account)?;
        if is_full(self.quotas.quotas().groups, counts.groups) {
            return Err(Refusal::GroupLimit.into());
        }
        counts.groups += 1;
        let record = GroupRecord {
            id: new_entity_id(),
            name: action.group_name.clone(),
            comments: action.comments.clone(),
            created: call.now.0,
            updated: call.now.0,
            policies: Vec::new(),
            users: 0,
        };
        tx.put(named, &NameRecord { id: record.id.clone() })?;
        tx.put(path::group(account, &record.id), &record)?;
        counts::put(tx, account, &counts)?;
        Ok(GroupOutput { group: GroupInfo { update_date: None, ..info(&record) } })
    }
}

use jomae_api::actions::ram::groups::{GroupInfo, GroupOutput, create_group::CreateGroup};

use super::info;
use crate::{
    identity::new_entity_id,
    prelude::*,
    ram::{entities, record::GroupRecord},
};

impl Handle<CreateGroup> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreateGroup>,
    ) -> Result<GroupOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        entities::expect_free::<GroupRecord>(tx, account, &action.group_name)?;
        let record = GroupRecord {
            id: new_entity_id(),
            name: action.group_name.clone(),
            comments: action.comments.clone(),
            created: call.now.0,
            updated: call.now.0,
            policies: Vec::new(),
            users: 0,
        };
        entities::add(tx, account, self.quotas.quotas().groups, &record)?;
        Ok(GroupOutput { group: GroupInfo { update_date: None, ..info(&record) } })
    }
}

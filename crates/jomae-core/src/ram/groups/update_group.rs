use jomae_api::actions::ram::groups::{GroupOutput, update_group::UpdateGroup};

use super::info;
use crate::{
    prelude::*,
    ram::{entities, find, record::GroupRecord},
};

impl Handle<UpdateGroup> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UpdateGroup>,
    ) -> Result<GroupOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let old = find::group(tx, account, &action.group_name)?;
        let record = GroupRecord {
            name: action.new_group_name.as_ref().unwrap_or(&old.name).clone(),
            comments: action.new_comments.as_ref().unwrap_or(&old.comments).clone(),
            updated: call.now.0,
            ..(*old).clone()
        };
        entities::replace(tx, account, &*old, &record)?;
        Ok(GroupOutput { group: info(&record) })
    }
}

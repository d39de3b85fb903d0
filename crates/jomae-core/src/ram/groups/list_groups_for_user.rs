use jomae_api::actions::ram::groups::list_groups_for_user::{JoinedGroup, ListGroupsForUser, Output};

use crate::{
    prelude::*,
    ram::{
        find,
        record::{GroupRecord, path},
    },
};

impl Handle<ListGroupsForUser> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListGroupsForUser>,
    ) -> Result<Output> {
        let account = call.caller.account();
        let user = find::user(tx, account, &granted.action().user_name)?;
        let mut group = Vec::with_capacity(user.groups.len());
        for (id, joined) in &user.groups {
            if let Some(record) = tx.get::<GroupRecord>(&path::group(account, id))? {
                group.push(JoinedGroup {
                    group_id: record.id.clone(),
                    group_name: record.name.clone(),
                    comments: record.comments.clone(),
                    join_date: Timestamp(*joined),
                });
            }
        }
        group.sort_by(|one, other| one.group_name.cmp(&other.group_name));
        Ok(Output { groups: List(group) })
    }
}

use jomae_api::actions::ram::groups::add_user_to_group::AddUserToGroup;

use crate::{
    prelude::*,
    ram::{
        cost, find,
        record::{MemberRecord, path},
    },
};

impl Handle<AddUserToGroup> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AddUserToGroup>,
    ) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let mut user = (*find::user(tx, account, &action.user_name)?).clone();
        let mut group = (*find::group(tx, account, &action.group_name)?).clone();
        if user.groups.iter().any(|(id, _)| *id == group.id) {
            return Err(Refusal::UserInGroup.into());
        }
        if user.groups.len() >= limits::RAM_GROUPS_OF_USER_MAX {
            return Err(Refusal::UserGroupLimit.into());
        }
        user.groups.push((group.id.clone(), call.now.0));
        cost::check_holder(tx, account, &user)?;
        group.users = group.users.saturating_add(1);
        tx.put(path::member(account, &group.id, &user.id), &MemberRecord { at: call.now.0 })?;
        tx.put(path::user(account, &user.id), &user)?;
        tx.put(path::group(account, &group.id), &group)?;
        Ok(Empty {})
    }
}

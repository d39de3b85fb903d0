use jomae_api::actions::ram::groups::remove_user_from_group::RemoveUserFromGroup;

use crate::{
    prelude::*,
    ram::{
        find,
        record::{MemberRecord, path},
    },
};

impl Handle<RemoveUserFromGroup> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, RemoveUserFromGroup>,
    ) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let mut user = (*find::user(tx, account, &action.user_name)?).clone();
        let mut group = (*find::group(tx, account, &action.group_name)?).clone();
        let joined = user.groups.iter().position(|(id, _)| *id == group.id).ok_or(Refusal::UserNotInGroup)?;
        user.groups.remove(joined);
        group.users = group.users.saturating_sub(1);
        tx.delete::<MemberRecord>(path::member(account, &group.id, &user.id));
        tx.put(path::user(account, &user.id), &user)?;
        tx.put(path::group(account, &group.id), &group)?;
        Ok(Empty {})
    }
}

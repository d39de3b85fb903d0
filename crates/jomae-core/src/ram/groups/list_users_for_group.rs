use jomae_api::actions::ram::groups::list_users_for_group::{ListUsersForGroup, Member, Output};

use crate::{
    prelude::*,
    ram::{
        find, page,
        record::{MemberRecord, UserRecord, path},
    },
    record::path::tail,
    wait::{RECORDS_PER_YIELD, yield_now},
};

impl Handle<ListUsersForGroup> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListUsersForGroup>,
    ) -> Result<Output> {
        let (account, action) = (call.caller.account(), granted.action());
        let group = find::group(tx, account, &action.group_name)?;
        let prefix = path::members(account, &group.id);
        // Kept by ID, shown by name: names change.
        let mut rows = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let some = tx.list::<MemberRecord>(&prefix, after.as_deref(), RECORDS_PER_YIELD)?;
            for (at, member) in &some {
                let id = tail(at, &prefix).unwrap_or_default();
                if let Some(user) = tx.get::<UserRecord>(&path::user(account, id))? {
                    rows.push((
                        user.name.clone(),
                        Member {
                            user_name: user.name.clone(),
                            display_name: user.display_name.clone(),
                            join_date: Timestamp(member.at),
                        },
                    ));
                }
            }
            match some.last() {
                Some((last, _)) if some.len() == RECORDS_PER_YIELD => after = Some(last.as_str().to_owned()),
                _ => break,
            }
            yield_now().await;
        }
        let page = page::slice(rows, &action.listing);
        let users = List(page.rows);
        Ok(Output { users, is_truncated: page.marker.is_some(), marker: page.marker })
    }
}

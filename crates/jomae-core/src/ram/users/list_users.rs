use jomae_api::actions::ram::users::list_users::{ListUsers, Output};

use super::info;
use crate::{
    prelude::*,
    ram::{
        find, page,
        record::path::{self, Entity},
    },
};

impl Handle<ListUsers> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, ListUsers>) -> Result<Output> {
        let account = call.caller.account();
        let page = page::names(tx, &path::names(account, Entity::User), &granted.action().listing)?;
        let mut user = Vec::with_capacity(page.rows.len());
        for name in &page.rows {
            match find::user(tx, account, name) {
                Ok(record) => user.push(info(&record)),
                // Gone since the page was found: it is no row any more.
                Err(Error::Refused(Refusal::UserNotFound)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Output { users: List(user), is_truncated: page.marker.is_some(), marker: page.marker })
    }
}

use jomae_api::actions::ram::users::list_users::{ListUsers, Output};

use super::info;
use crate::{
    prelude::*,
    ram::{entities, record::UserRecord},
};

impl Handle<ListUsers> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListUsers>) -> Result<Output> {
        let page = entities::page::<UserRecord>(tx, call.caller.account(), &granted.action().listing)?;
        let users = page.rows.iter().map(|record| info(record)).collect();
        Ok(Output { users: List(users), is_truncated: page.marker.is_some(), marker: page.marker })
    }
}

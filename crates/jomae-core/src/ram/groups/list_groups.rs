use jomae_api::actions::ram::groups::list_groups::{ListGroups, Output};

use super::info;
use crate::{
    prelude::*,
    ram::{
        find, page,
        record::path::{self, Entity},
    },
};

impl Handle<ListGroups> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, ListGroups>) -> Result<Output> {
        let account = call.caller.account();
        let page = page::names(tx, &path::names(account, Entity::Group), &granted.action().listing)?;
        let mut group = Vec::with_capacity(page.rows.len());
        for name in &page.rows {
            match find::group(tx, account, name) {
                Ok(record) => group.push(info(&record)),
                // Gone since the page was found: it is no row any more.
                Err(Error::Refused(Refusal::GroupNotFound)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Output { groups: List(group), is_truncated: page.marker.is_some(), marker: page.marker })
    }
}

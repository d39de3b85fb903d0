use jomae_api::actions::ram::roles::list_roles::{ListRoles, Output};

use super::row;
use crate::{
    prelude::*,
    ram::{
        page,
        record::{
            NameRecord, RoleRecord,
            path::{self, Entity},
        },
    },
};

impl Handle<ListRoles> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, ListRoles>) -> Result<Output> {
        let (account, listing) = (call.caller.account(), &granted.action().listing);
        let page = page::names(tx, &path::names(account, Entity::Role), listing)?;
        let mut role = Vec::with_capacity(page.rows.len());
        for name in &page.rows {
            // Deleted since the page was found: it is no row any more.
            let Some(named) = tx.get::<NameRecord>(&path::name(account, Entity::Role, name))? else { continue };
            if let Some(record) = tx.get::<RoleRecord>(&path::role(account, &named.id))? {
                role.push(row(account, &record));
            }
        }
        Ok(Output { roles: List(role), is_truncated: page.marker.is_some(), marker: page.marker })
    }
}

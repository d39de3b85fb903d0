use jomae_api::actions::ram::roles::list_roles::{ListRoles, Output};

use super::row;
use crate::{
    prelude::*,
    ram::{entities, record::RoleRecord},
};

impl Handle<ListRoles> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListRoles>) -> Result<Output> {
        let account = call.caller.account();
        let page = entities::page::<RoleRecord>(tx, account, &granted.action().listing)?;
        let roles = page.rows.iter().map(|role| row(account, role)).collect();
        Ok(Output { roles: List(roles), is_truncated: page.marker.is_some(), marker: page.marker })
    }
}

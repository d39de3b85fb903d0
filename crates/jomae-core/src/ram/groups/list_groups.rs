use jomae_api::actions::ram::groups::list_groups::{ListGroups, Output};

use super::info;
use crate::{
    prelude::*,
    ram::{entities, record::GroupRecord},
};

impl Handle<ListGroups> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListGroups>) -> Result<Output> {
        let page = entities::page::<GroupRecord>(tx, call.caller.account(), &granted.action().listing)?;
        let groups = page.rows.iter().map(|record| info(record)).collect();
        Ok(Output { groups: List(groups), is_truncated: page.marker.is_some(), marker: page.marker })
    }
}

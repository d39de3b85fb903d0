//! Names for keys. One file an action.

mod create_alias;
mod delete_alias;
mod list_aliases;
mod list_aliases_by_key_id;
mod update_alias;

use jomae_api::{
    actions::{
        aliases::list_aliases::{AliasRow, Output},
        params::Page,
    },
    names::{AliasName, KeyId, alias_arn},
};

use crate::{
    prelude::*,
    record::{AliasRecord, path},
};

impl Kms {
    /// A page of the aliases whose paths stand under `prefix`.
    ///
    /// `of`: only those of this key. An index entry that the alias itself does not confirm is no row.
    async fn alias_page(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        prefix: &str,
        of: Option<&KeyId>,
        page: Page,
    ) -> Result<Output> {
        let (account, region) = (call.caller.account(), &call.region);
        let ranked = self.ranks.page(self.vault.store(), prefix, page.offset(), page.size as usize).await?;
        let mut alias = Vec::with_capacity(ranked.paths.len());
        for found in &ranked.paths {
            let Some(name) = path::tail(found, prefix).and_then(AliasName::new) else { continue };
            // Deleted since the page was found: it is no row any more.
            let Some(record) = tx.get::<AliasRecord>(&path::alias(account, region, &name))? else { continue };
            if of.is_some_and(|of| *of != record.key) {
                continue;
            }
            alias.push(AliasRow {
                alias_name: name.to_wire(),
                alias_arn: alias_arn(region, account, &name),
                key_id: record.key.clone(),
            });
        }
        let aliases = List(alias);
        Ok(Output { aliases, total_count: ranked.total, page_number: page.number, page_size: page.size })
    }
}

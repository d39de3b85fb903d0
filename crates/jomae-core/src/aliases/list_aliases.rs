use jomae_api::actions::aliases::list_aliases::{ListAliases, Output};

use crate::{prelude::*, record::path};

impl Handle<ListAliases> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, ListAliases>) -> Result<Output> {
        let prefix = path::aliases(call.caller.account(), &call.region);
        self.alias_page(call, tx, &prefix, None, granted.action().page).await
    }
}

use jomae_api::actions::aliases::{list_aliases::Output, list_aliases_by_key_id::ListAliasesByKeyId};

use crate::{prelude::*, record::path};

impl Handle<ListAliasesByKeyId> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, ListAliasesByKeyId>,
    ) -> Result<Output> {
        let key = &granted.key()?.place;
        self.alias_page(call, tx, &path::aliases_of(key), Some(&key.id), granted.action().page).await
    }
}

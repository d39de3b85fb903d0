use jomae_api::actions::ram::groups::{GroupOutput, get_group::GetGroup};

use super::info;
use crate::{prelude::*, ram::find};

impl Handle<GetGroup> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, GetGroup>,
    ) -> Result<GroupOutput> {
        let record = find::group(tx, call.caller.account(), &granted.action().group_name)?;
        Ok(GroupOutput { group: info(&record) })
    }
}

use jomae_api::actions::ram::users::{UserOutput, get_user::GetUser};

use super::info;
use crate::{prelude::*, ram::find};

impl Handle<GetUser> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, GetUser>) -> Result<UserOutput> {
        let record = find::user(tx, call.caller.account(), &granted.action().user_name)?;
        Ok(UserOutput { user: info(&record) })
    }
}

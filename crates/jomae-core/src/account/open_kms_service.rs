use jomae_api::actions::service::open_kms_service::OpenKmsService;

use crate::prelude::*;

impl Handle<OpenKmsService> for Kms {
    async fn handle(&self, _: &Call<'_>, _: &mut Tx<'_>, _: &Authorized<'_, OpenKmsService>) -> Result<Empty> {
        Err(Refusal::ServiceOpened.into())
    }
}

use jomae_api::{action::Empty, actions::service::open_kms_service::OpenKmsService, error::Refusal};

use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<OpenKmsService> for Kms {
    async fn handle(&self, _: &Call, _: &mut Tx<'_>, _: &Authorized<'_, OpenKmsService>) -> Result<Empty, Error> {
        Err(Refusal::ServiceOpened.into())
    }
}

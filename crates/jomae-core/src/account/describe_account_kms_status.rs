use jomae_api::actions::service::describe_account_kms_status::{DescribeAccountKmsStatus, Output};

use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<DescribeAccountKmsStatus> for Kms {
    async fn handle(
        &self,
        _: &Call,
        _: &mut Tx<'_>,
        _: &Authorized<'_, DescribeAccountKmsStatus>,
    ) -> Result<Output, Error> {
        Ok(Output { account_status: "Enabled" })
    }
}

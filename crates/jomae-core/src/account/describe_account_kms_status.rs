use jomae_api::actions::service::describe_account_kms_status::{DescribeAccountKmsStatus, Output};

use crate::prelude::*;

impl Handle<DescribeAccountKmsStatus> for Kms {
    async fn handle(
        &self,
        _: &Call<'_>,
        _: &mut Tx<'_>,
        _: &Authorized<'_, DescribeAccountKmsStatus>,
    ) -> Result<Output> {
        Ok(Output { account_status: "Enabled" })
    }
}

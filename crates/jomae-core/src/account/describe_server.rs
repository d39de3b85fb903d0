use jomae_api::actions::service::describe_server::{DescribeServer, Output};

use crate::prelude::*;

impl Handle<DescribeServer> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, _: &Authorized<'_, DescribeServer>) -> Result<Output> {
        let hosting = self.hosting.get().ok_or_else(|| Fault::unavailable("the start is not over"))?;
        // No policy gives this: an account has all rights in what is its own, and the service is not.
        if !hosting.operators.include(tx, call.caller.account())? {
            return Err(Refusal::NotOperator.into());
        }
        Ok(hosting.host.describe(self, call.now)?)
    }
}

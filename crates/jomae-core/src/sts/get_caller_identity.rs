use jomae_api::actions::sts::get_caller_identity::{GetCallerIdentity, Output};

use crate::{identity::Who, prelude::*};

impl Handle<GetCallerIdentity> for Kms {
    async fn handle(&self, call: &Call<'_>, _: &mut Tx<'_>, _: &Authorized<'_, GetCallerIdentity>) -> Result<Output> {
        let caller = &call.caller;
        let (identity_type, user_id, role_id) = match &caller.who {
            Who::Root | Who::Federated(_) => ("Account", None, None),
            Who::User { id, .. } => ("RAMUser", Some(id.clone()), None),
            Who::Session(session) => ("AssumedRoleUser", None, Some(session.role_id.clone())),
        };
        Ok(Output {
            account_id: caller.account.to_string(),
            user_id,
            role_id,
            arn: caller.arn(),
            identity_type,
            principal_id: caller.principal_id().into_owned(),
        })
    }
}

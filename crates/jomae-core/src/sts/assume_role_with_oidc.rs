use jomae_api::actions::sts::assume_role_with_oidc::{AssumeRoleWithOIDC, OidcTokenInfo, Output};

use super::{Wanted, assume};
use crate::{identity::Who, prelude::*};

impl Handle<AssumeRoleWithOIDC> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, AssumeRoleWithOIDC>,
    ) -> Result<Output> {
        let asked = granted.action();
        let Who::Federated(federated) = &call.caller.who else {
            return Err(Fault::internal("a caller with a signature came by the way of tokens").into());
        };
        let wanted = Wanted {
            session_name: &asked.session_name,
            duration_secs: asked.duration_secs,
            policy: asked.policy.as_deref(),
            source_identity: None,
        };
        let (credentials, assumed_role_user) = assume(tx, self.vault.keyring(), call, granted.role()?, &wanted)?;
        let oidc_token_info = OidcTokenInfo {
            subject: federated.subject.clone(),
            issuer: federated.issuer.clone(),
            client_ids: federated.client_ids.join(","),
            expiration_time: Timestamp(federated.token_expires),
            issuance_time: federated.token_issued.map(Timestamp),
        };
        Ok(Output { credentials, assumed_role_user, oidc_token_info })
    }
}

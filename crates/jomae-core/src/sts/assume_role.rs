use jomae_api::actions::sts::assume_role::{AssumeRole, Output};

use super::{Wanted, assume};
use crate::prelude::*;

impl Handle<AssumeRole> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, AssumeRole>) -> Result<Output> {
        let asked = granted.action();
        let wanted = Wanted {
            session_name: &asked.session_name,
            duration_secs: asked.duration_secs,
            policy: asked.policy.as_deref(),
            source_identity: asked.source_identity.as_deref(),
        };
        let (credentials, assumed_role_user) = assume(tx, self.vault.keyring(), call, granted.role()?, &wanted)?;
        Ok(Output { credentials, assumed_role_user, source_identity: asked.source_identity.clone() })
    }
}

use jomae_api::actions::ram::roles::{create_role::CreateRole, params::RoleOutput};

use super::output;
use crate::{
    identity::new_entity_id,
    prelude::*,
    ram::{cost, entities, record::RoleRecord},
    stored::Derived,
};

impl Handle<CreateRole> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreateRole>,
    ) -> Result<RoleOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        entities::expect_free::<RoleRecord>(tx, account, &action.name)?;
        cost::check_trust(&action.trust)?;
        let record = RoleRecord {
            id: new_entity_id(),
            name: action.name.clone(),
            description: action.description.clone(),
            created: call.now.0,
            updated: call.now.0,
            max_session_secs: action.max_session_secs.into(),
            trust: action.trust.clone(),
            trust_epoch: 0,
            policies: Vec::new(),
            trust_in_memory: Derived::default(),
        };
        entities::add(tx, account, self.quotas.quotas().roles, &record)?;
        Ok(output(account, &record))
    }
}

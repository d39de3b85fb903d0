use jomae_api::actions::ram::roles::{create_role::CreateRole, params::RoleOutput};

use super::output;
use crate::{
    identity::new_entity_id,
    prelude::*,
    quota::is_full,
    ram::{
        cost, counts,
        record::{
            NameRecord, RoleRecord,
            path::{self, Entity},
        },
    },
    record::Memo,
};

impl Handle<CreateRole> for Kms {
    async fn handle(&self, call: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, CreateRole>) -> Result<RoleOutput> {
        let (account, action) = (call.caller.account(), granted.action());
        let name_at = path::name(account, Entity::Role, &action.name);
        if tx.get::<NameRecord>(&name_at)?.is_some() {
            return Err(Refusal::RoleExists.into());
        }
        cost::check_trust(&action.trust)?;
        let mut counts = counts::of(tx, account)?;
        if is_full(self.quotas.quotas().roles, counts.roles) {
            return Err(Refusal::RolesLimit.into());
        }
        counts.roles += 1;
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
            trust_in_memory: Memo::default(),
        };
        let at = path::role(account, &record.id);
        // An id that is taken would be another's role; reading it makes the commit compare it.
        if tx.get::<RoleRecord>(&at)?.is_some() {
            return Err(Fault::unavailable("the new id of a role is taken").into());
        }
        tx.put(name_at, &NameRecord { id: record.id.clone() })?;
        tx.put(at, &record)?;
        counts::put(tx, account, &counts)?;
        Ok(output(account, &record))
    }
}

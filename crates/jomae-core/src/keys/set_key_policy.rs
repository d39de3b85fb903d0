use jomae_api::actions::keys::set_key_policy::SetKeyPolicy;

use crate::{
    prelude::*,
    ram::cost::check_key_policy,
    record::{KeyRecord, path},
};

impl Handle<SetKeyPolicy> for Kms {
    async fn handle(&self, _: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, SetKeyPolicy>) -> Result<Empty> {
        let key = granted.key()?;
        check_key_policy(&granted.action().policy.policy().map_err(Refusal::KeyPolicyMalformed)?)?;
        let policy = Some(granted.action().policy.clone());
        tx.put(path::key(&key.place), &KeyRecord { policy, ..(*key.record).clone() })?;
        Ok(Empty {})
    }
}

use jomae_api::{action::Empty, actions::keys::set_key_policy::SetKeyPolicy, error::Refusal};

use crate::{
    access::Authorized,
    error::Error,
    ram::cost::check_key_policy,
    record::{KeyRecord, path},
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<SetKeyPolicy> for Kms {
    async fn handle(&self, _: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, SetKeyPolicy>) -> Result<Empty, Error> {
        let key = granted.key()?;
        check_key_policy(&granted.action().policy.policy().map_err(Refusal::KeyPolicyMalformed)?)?;
        let policy = Some(granted.action().policy.clone());
        tx.put(path::key(&key.place), &KeyRecord { policy, ..(*key.record).clone() })?;
        Ok(Empty {})
    }
}

use jomae_api::{
    actions::keys::get_key_policy::{GetKeyPolicy, Output},
    policy::KeyPolicy,
};

use crate::prelude::*;

impl Handle<GetKeyPolicy> for Kms {
    async fn handle(&self, _: &Call<'_>, _: &mut Tx<'_>, granted: &Authorized<'_, GetKeyPolicy>) -> Result<Output> {
        let key = granted.key()?;
        let policy = key.record.policy.clone().unwrap_or_else(|| KeyPolicy::default_of(&key.place.account));
        Ok(Output { policy: policy.as_str().to_owned() })
    }
}

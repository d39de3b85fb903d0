use jomae_api::{action::Empty, actions::tags::untag_resource::UntagResource};

use super::remove_tags;
use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<UntagResource> for Kms {
    async fn handle(&self, _: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, UntagResource>) -> Result<Empty, Error> {
        let wanted = granted.action();
        remove_tags(tx, granted.key()?, |key| wanted.tag_keys.iter().any(|gone| gone == key))?;
        Ok(Empty {})
    }
}

use jomae_api::{action::Empty, actions::tags::tag_resource::TagResource};

use super::add_tags;
use crate::{
    access::Authorized,
    error::Error,
    run::{Call, Handle, Kms},
    tx::Tx,
};

impl Handle<TagResource> for Kms {
    async fn handle(&self, _: &Call, tx: &mut Tx<'_>, granted: &Authorized<'_, TagResource>) -> Result<Empty, Error> {
        let wanted = granted.action();
        add_tags(tx, granted.key()?, &wanted.tags)?;
        Ok(Empty {})
    }
}

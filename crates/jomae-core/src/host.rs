//! What only the process around the service knows of itself, and whom it tells.

use jomae_api::{actions::service::describe_server::Output, names::AccountId, time::Timestamp};

use crate::{error::Fault, identity::accounts, run::Kms, tx::Tx};

/// The process around a service, as `DescribeServer` asks it.
pub trait Host: Send + Sync {
    /// What runs here, and how it is at this moment. No secret, and nothing of an account.
    ///
    /// # Errors
    /// The store does not answer, or holds what cannot be.
    fn describe(&self, kms: &Kms, now: Timestamp) -> Result<Output, Fault>;
}

/// Accounts whose people look after the service itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators {
    pub accounts: Vec<AccountId>,
    /// The account that is the only one, as long as it is.
    pub the_only: bool,
}

/// A host, and whom it tells.
pub struct Hosting {
    pub operators: Operators,
    pub host: Box<dyn Host>,
}

impl Operators {
    /// Whether an account is one of them.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn include(&self, tx: &Tx<'_>, account: &AccountId) -> Result<bool, Fault> {
        if self.accounts.contains(account) {
            return Ok(true);
        }
        Ok(self.the_only && accounts::is_only(tx, account)?)
    }
}

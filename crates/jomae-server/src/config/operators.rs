//! Accounts whose people see the service itself: `operator_accounts`.

use jomae_api::names::AccountId;
use jomae_core::host::Operators;

use super::{Config, ConfigError};

/// Stands for the account that is the only one, as long as it is.
const ONLY: &str = "only";

impl Config {
    /// The accounts that `operator_accounts` names.
    ///
    /// # Errors
    /// A text that is neither an account nor `only`.
    pub fn operators(&self) -> Result<Operators, ConfigError> {
        let mut operators = Operators::default();
        for text in &self.operator_accounts {
            match AccountId::new(text) {
                Some(account) => operators.accounts.push(account),
                None if text == ONLY => operators.the_only = true,
                None => {
                    let message = format!("operator_accounts: {text:?} is neither 16 digits nor {ONLY:?}");
                    return Err(ConfigError::Value(message));
                }
            }
        }
        Ok(operators)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_named_one_by_one() {
        let operators = |text: &str| {
            let config = Config::parse(text).unwrap();
            config.checked_regions().map_err(|error| error.to_string())?;
            config.operators().map_err(|error| error.to_string())
        };
        assert_eq!(operators("").unwrap(), Operators::default(), "nobody, unless somebody is named");
        let account = AccountId::new("1234567890123456").unwrap();
        let both = Operators { accounts: vec![account.clone()], the_only: true };
        assert_eq!(operators("operator_accounts = [\"only\", \"1234567890123456\"]").unwrap(), both);
        for wrong in ["first", "Only", "", "*", "12345"] {
            let error = operators(&format!("operator_accounts = [{wrong:?}]")).unwrap_err();
            assert!(error.contains("operator_accounts"), "{error}");
        }
    }
}

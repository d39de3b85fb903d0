//! What is stored of how people sign in, and where: passwords, the account's rules for them, and MFA devices.
//!
//! It stands beside the users, under their ids, so that a renamed user signs in as before, and whoever is made anew
//! under an old name does not.

use jomae_api::{actions::ram::mfa::SerialNumber, names::AccountId};
use jomae_crypto::{password, rng, secret::SecretBytes, wrap};
use serde::{Deserialize, Serialize};

use super::record::UserRecord;
use crate::{
    error::Fault,
    keyring::Keyring,
    stored::{Bytes, plain_records},
    tx::Tx,
};

// An older version would let a user go without what stands here, and knows nothing of its end.
plain_records!(form: 2, bears_rights: true, room: 8192; LoginRecord);
plain_records!(form: 2, bears_rights: true; MfaDeviceRecord, DeviceOfRecord);
plain_records!(form: 2, bears_rights: false; PasswordPolicyRecord, DeviceCountRecord);

/// A password as it is kept: its Argon2id hash in the PHC form. Shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPassword(String);

impl KeptPassword {
    /// Takes some dozens of milliseconds.
    pub fn of(password: &SecretBytes) -> Result<Self, Fault> {
        password::hash(password).map(Self).map_err(Fault::unavailable)
    }

    /// Takes some dozens of milliseconds.
    pub fn matches(&self, password: &SecretBytes) -> bool {
        password::matches(password, &self.0)
    }
}

impl std::fmt::Debug for KeptPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptPassword")
    }
}

/// That a user may sign in with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRecord {
    pub password: KeptPassword,
    /// Those before it, the newest first, as far as the account's rules ask for them.
    pub earlier: Vec<KeptPassword>,
    pub reset_required: bool,
    pub mfa_bind_required: bool,
    /// Unix seconds.
    pub created: i64,
    /// When the password was chosen, in Unix seconds.
    pub chosen: i64,
    /// Drawn anew whenever sessions have to end: with each password, with each login profile, and when the MFA device is
    /// taken away.
    pub generation: u64,
}

/// A number that no session has yet.
pub fn new_generation() -> u64 {
    u64::from_be_bytes(rng::public_array())
}

impl LoginRecord {
    /// Whether the password is too old.
    pub fn is_expired(&self, policy: &PasswordPolicyRecord, now_secs: i64) -> bool {
        let days = i64::from(policy.max_password_age);
        days > 0 && now_secs.saturating_sub(self.chosen) > days * 86_400
    }
}

/// The account's rules for passwords. The defaults hold where nothing is stored.
#[expect(clippy::struct_excessive_bools, reason = "as many as the API has")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordPolicyRecord {
    pub minimum_length: u32,
    pub lowercase: bool,
    pub uppercase: bool,
    pub numbers: bool,
    pub symbols: bool,
    pub hard_expiry: bool,
    /// In days; 0: for ever.
    pub max_password_age: u32,
    /// Passwords that cannot be used again; 0: all can.
    pub reuse_prevention: u32,
    /// Wrong passwords within an hour; 0: as many as the service allows.
    pub max_attempts: u32,
}

impl Default for PasswordPolicyRecord {
    fn default() -> Self {
        Self {
            minimum_length: *jomae_api::limits::PASSWORD_LENGTH.start(),
            lowercase: false,
            uppercase: false,
            numbers: false,
            symbols: false,
            hard_expiry: false,
            max_password_age: 0,
            reuse_prevention: 0,
            max_attempts: 0,
        }
    }
}

impl PasswordPolicyRecord {
    /// The rules of an account.
    pub fn of(tx: &mut Tx<'_>, account: &AccountId) -> Result<Self, Fault> {
        Ok(tx.get::<Self>(&path::password_policy(account))?.map(|policy| (*policy).clone()).unwrap_or_default())
    }

    /// Whether a password has what the rules ask for. A symbol is what is neither letter nor digit.
    pub fn accepts(&self, password: &SecretBytes) -> bool {
        let Ok(text) = std::str::from_utf8(password.expose()) else { return false };
        let long_enough = text.chars().count() >= usize::try_from(self.minimum_length).unwrap_or(usize::MAX);
        let has = |needed: bool, is: fn(char) -> bool| !needed || text.chars().any(is);
        long_enough
            && has(self.lowercase, char::is_lowercase)
            && has(self.uppercase, char::is_uppercase)
            && has(self.numbers, |c| c.is_ascii_digit())
            && has(self.symbols, |c| !c.is_alphanumeric())
    }

    /// How many passwords before the one that counts are to be kept.
    pub fn earlier_kept(&self) -> usize {
        usize::try_from(self.reuse_prevention.saturating_sub(1)).unwrap_or(0)
    }
}

/// A virtual MFA device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaDeviceRecord {
    /// Wrapped under a domain key, and bound to the serial number.
    pub seed: Bytes,
    /// Unix seconds.
    pub created: i64,
    /// Whose it is, by the user's id, and since when.
    pub bound: Option<(String, i64)>,
    /// The last step of which a code was accepted: none up to it is accepted again.
    pub last_step: u64,
}

impl MfaDeviceRecord {
    pub fn seed(&self, keyring: &Keyring, serial: &SerialNumber) -> Result<SecretBytes, Fault> {
        let serial = serial.to_wire();
        keyring
            .open_with(&self.seed.0, |domain, wrapped| wrap::unwrap_mfa_seed(domain, &serial, wrapped))
            .map_err(|error| Fault::internal(format!("seed of {serial}: {error}")))
    }
}

/// Which device a user has, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceOfRecord {
    pub device: String,
}

/// How many devices an account has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCountRecord {
    pub devices: u32,
}

/// Ends what the user has opened in the console, if there is a login profile.
pub fn end_sessions(tx: &mut Tx<'_>, account: &AccountId, user: &UserRecord) -> Result<(), Fault> {
    let at = path::login(account, &user.id);
    match tx.get::<LoginRecord>(&at)? {
        Some(login) => tx.put(at, &LoginRecord { generation: new_generation(), ..(*login).clone() }),
        None => Ok(()),
    }
}

/// Paths. As all of RAM, under `ram/<account>/`.
pub mod path {
    use super::AccountId;
    use crate::store::Path;

    pub fn login(account: &AccountId, user_id: &str) -> Path {
        Path::new(format!("ram/{account}/login/{user_id}"))
    }

    pub fn password_policy(account: &AccountId) -> Path {
        Path::new(format!("ram/{account}/password-policy"))
    }

    pub fn device(account: &AccountId, name: &str) -> Path {
        Path::new(format!("{}{name}", devices(account)))
    }

    /// Every device of the account, by name.
    pub fn devices(account: &AccountId) -> String {
        format!("ram/{account}/mfa/")
    }

    pub fn device_of(account: &AccountId, user_id: &str) -> Path {
        Path::new(format!("ram/{account}/mfa-of/{user_id}"))
    }

    pub fn device_count(account: &AccountId) -> Path {
        Path::new(format!("ram/{account}/mfa-count"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[test]
    fn rules_ask_for_length_and_classes() {
        let all = PasswordPolicyRecord {
            minimum_length: 10,
            lowercase: true,
            uppercase: true,
            numbers: true,
            symbols: true,
            ..PasswordPolicyRecord::default()
        };
        assert!(all.accepts(&secret("aB3-567890")));
        for weak in ["aB3-56789", "AB3-567890", "ab3-567890", "aBc-efghij", "aB34567890", ""] {
            assert!(!all.accepts(&secret(weak)), "{weak}");
        }
        assert!(PasswordPolicyRecord::default().accepts(&secret("密码密码密码密码")));
        assert!(!PasswordPolicyRecord::default().accepts(&SecretBytes::new(vec![0xff; 20])));
    }

    #[test]
    fn a_kept_password_does_not_show() {
        let kept = KeptPassword::of(&secret("correct horse")).unwrap();
        assert_eq!(format!("{kept:?}"), "KeptPassword");
    }

    proptest! {
        #[test]
        fn more_rules_accept_less(text in ".{0,40}", minimum_length in 8..33_u32, [lowercase, uppercase, numbers, symbols]: [bool; 4]) {
            let strict =
                PasswordPolicyRecord { minimum_length, lowercase, uppercase, numbers, symbols, ..PasswordPolicyRecord::default() };
            if strict.accepts(&secret(&text)) {
                prop_assert!(PasswordPolicyRecord::default().accepts(&secret(&text)));
            }
        }
    }
}

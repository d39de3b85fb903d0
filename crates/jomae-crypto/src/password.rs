//! Passwords of people: Argon2id (RFC 9106), kept in the PHC string format.
//!
//! A hash takes about 20 MiB and some dozens of milliseconds, so whoever calls this does it away from a request's thread.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash as Phc,
};

use crate::{rng, secret::SecretBytes};

/// Longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 512;

/// Memory of a hash in KiB, passes, and lanes: the least that OWASP names for Argon2id. Each hash names its own, so others may
/// come later.
const COST: (u32, u32, u32) = (19_456, 2, 1);
const SALT_BYTES: usize = 16;

/// There is no memory for the hash, or the password is longer than [`PASSWORD_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHashed;

impl std::fmt::Display for NotHashed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a password could not be hashed")
    }
}

impl std::error::Error for NotHashed {}

fn argon2() -> Result<Argon2<'static>, NotHashed> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| NotHashed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// What is kept of a password, with a salt of its own.
pub fn hash(password: &SecretBytes) -> Result<String, NotHashed> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(NotHashed);
    }
    let salt: [u8; SALT_BYTES] = rng::array();
    let hash = argon2()?.hash_password_with_salt(password.expose(), &salt).map_err(|_| NotHashed)?;
    Ok(hash.to_string())
}

/// Whether it is the password that was hashed. A hash that cannot be read is that of no password.
pub fn matches(password: &SecretBytes, hash: &str) -> bool {
    password.len() <= PASSWORD_BYTES_MAX
        && Phc::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.expose(), &hash).is_ok())
}

/// As much work as `matches` with a hash: for a person whom nobody knows, so that the time does not tell.
pub fn pretend(password: &SecretBytes) {
    let _ = hash(password);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[test]
    fn a_password_matches_its_own_hash_alone() {
        let hashed = hash(&secret("correct horse")).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(matches(&secret("correct horse"), &hashed));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!matches(&secret(wrong), &hashed), "{wrong}");
        }
        assert_ne!(hash(&secret("correct horse")).unwrap(), hashed, "a salt of its own");
    }

    #[test]
    fn a_long_password_is_refused() {
        let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        assert_eq!(hash(&secret(&long)), Err(NotHashed));
        assert!(!matches(&secret(&long), "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAA"));
    }

    #[test]
    fn a_hash_names_its_own_cost() {
        let params = Params::new(64, 1, 1, None).unwrap();
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hashed = cheap.hash_password_with_salt(b"secret", b"0123456789abcdef").unwrap().to_string();
        assert!(matches(&secret("secret"), &hashed));
        assert!(!matches(&secret("secres"), &hashed));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_hash_panics(any in ".{0,80}", like in "\\$argon2id\\$v=19\\$m=[0-9],t=[0-9],p=[0-9]\\$[A-Za-z0-9]{0,30}\\$[A-Za-z0-9]{0,50}") {
            prop_assert!(!matches(&secret("secret"), &any));
            let _ = matches(&secret("secret"), &like);
        }
    }
}

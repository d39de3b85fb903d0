//! What a passkey is to sign, in a sealed text that the browser holds meanwhile: nothing is kept here for somebody who only
//! asks for a challenge, and so no stranger can push out the challenge of another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_api::{limits::PASSKEY_CHALLENGE_CHARS_MAX, names::AccountId};
use jomae_crypto::{purpose::Purpose, rng, sealed};
use serde::{Deserialize, Serialize};

use crate::{error::Fault, keyring::Keyring, webauthn::CHALLENGE_BYTES};

/// How long a challenge can be answered, in seconds.
pub const CHALLENGE_SECS: i64 = 300;

/// A challenge, and all that its answer is held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    pub bytes: [u8; CHALLENGE_BYTES],
    /// Until when it can be answered, in Unix seconds.
    pub until: i64,
    /// The page whose browser may answer: `https://<host>[:<port>]`.
    pub origin: String,
    pub of: ChallengeFor,
}

/// What is asked of a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeFor {
    /// To sign in, without a name and a password.
    SignIn,
    /// To be the second factor of a user, by account and id.
    Second(String, String),
    /// To be made, by a user.
    Make(String, String),
}

impl ChallengeFor {
    /// The second factor of a user.
    pub fn second(account: &AccountId, user_id: &str) -> Self {
        Self::Second(account.as_str().to_owned(), user_id.to_owned())
    }

    /// A user makes one.
    pub fn make(account: &AccountId, user_id: &str) -> Self {
        Self::Make(account.as_str().to_owned(), user_id.to_owned())
    }
}

impl Challenge {
    /// A new one.
    pub fn new(origin: &str, of: ChallengeFor, now: i64) -> Self {
        let (bytes, until) = (rng::public_array(), now.saturating_add(CHALLENGE_SECS));
        Self { bytes, until, origin: origin.to_owned(), of }
    }

    /// The text for the browser.
    pub fn seal(&self, keyring: &Keyring) -> Result<String, Fault> {
        let plain = postcard::to_allocvec(self).map_err(Fault::internal)?;
        let sealed = keyring.seal_with(|domain| sealed::seal(domain, Purpose::PasskeyChallenge, b"", &[], &plain))?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what the browser has kept. `None` for what is not ours, is for something else, or is too late.
    pub fn open(keyring: &Keyring, text: &str, of: &ChallengeFor, now: i64) -> Option<Self> {
        if text.len() > PASSKEY_CHALLENGE_CHARS_MAX {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let plain = keyring
            .open_with(&sealed, |domain, message| sealed::open(domain, Purpose::PasskeyChallenge, b"", &[], message))
            .ok()?;
        Self::read(plain.expose()).filter(|challenge| challenge.of == *of && now < challenge.until)
    }

    /// Reads what was sealed. `None` for whatever is nothing of ours, or has something behind it.
    pub fn read(content: &[u8]) -> Option<Self> {
        let (challenge, rest) = postcard::take_from_bytes(content).ok()?;
        rest.is_empty().then_some(challenge)
    }

    /// The relying party.
    pub fn rp_id(&self) -> &str {
        rp_id_of(&self.origin)
    }
}

/// The relying party of an origin `https://<host>[:<port>]`: its host.
pub fn rp_id_of(origin: &str) -> &str {
    let host = origin.strip_prefix("https://").unwrap_or(origin);
    host.split_once(':').map_or(host, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_relying_party_is_the_host() {
        assert_eq!(rp_id_of("https://kms.example:8445"), "kms.example");
        assert_eq!(rp_id_of("https://localhost"), "localhost");
    }

    #[test]
    fn the_longest_fits() {
        let origin = format!("https://{}:65535", "x".repeat(253));
        let of = ChallengeFor::Second("1".repeat(16), "2".repeat(20));
        let plain = postcard::to_allocvec(&Challenge::new(&origin, of, i64::MAX)).unwrap();
        // Head of the keyring, and what sealing adds.
        assert!((plain.len() + 128).div_ceil(3) * 4 <= PASSKEY_CHALLENGE_CHARS_MAX, "{}", plain.len());
    }

    proptest! {
        #[test]
        fn never_panic(content in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Challenge::read(&content);
        }

        #[test]
        fn what_is_written_is_read(bytes: [u8; 32], until: i64, origin in "[a-z:/.]{0,60}", user in "[0-9]{0,20}", kind in 0..3) {
            let of = match kind {
                0 => ChallengeFor::SignIn,
                1 => ChallengeFor::Second("1".into(), user),
                _ => ChallengeFor::Make("1".into(), user),
            };
            let challenge = Challenge { bytes, until, origin, of };
            let mut content = postcard::to_allocvec(&challenge).unwrap();
            prop_assert_eq!(Challenge::read(&content), Some(challenge));
            content.push(0);
            prop_assert_eq!(Challenge::read(&content), None);
        }
    }
}

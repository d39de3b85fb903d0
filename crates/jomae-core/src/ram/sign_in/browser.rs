//! By what a browser is known again in which a user has signed in: a sealed text for a cookie. It opens nothing; it only
//! says whose mistakes the browser's mistakes are, so that no stranger locks it out.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jomae_crypto::{purpose::Purpose, rng, sealed};
use serde::{Deserialize, Serialize};

use super::{Attempt, SignedIn, SignedInAs};
use crate::{error::Fault, keyring::Keyring};

/// Longest text that is opened, in characters.
const TOKEN_CHARS_MAX: usize = 512;
/// How long a browser is known, in seconds.
const KNOWN_SECS: i64 = 90 * 86_400;

/// What the text holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBrowser {
    pub user_id: String,
    /// Drawn for this browser.
    pub id: [u8; 16],
    /// Unix seconds.
    pub until: i64,
}

impl KnownBrowser {
    /// Reads what was sealed. `None` for whatever is nothing of ours, or has something behind it.
    pub fn read(content: &[u8]) -> Option<Self> {
        let (browser, rest) = postcard::take_from_bytes(content).ok()?;
        rest.is_empty().then_some(browser)
    }
}

/// What to give to the browser of a user who has just signed in. None for whoever is no user.
pub fn browser_token(keyring: &Keyring, signed_in: &SignedIn) -> Result<Option<String>, Fault> {
    let SignedInAs::User { id, .. } = &signed_in.who else { return Ok(None) };
    let until = signed_in.facts.at.saturating_add(KNOWN_SECS);
    let browser = KnownBrowser { user_id: id.clone(), id: rng::array(), until };
    let plain = postcard::to_allocvec(&browser).map_err(Fault::internal)?;
    let account = signed_in.account.as_str().as_bytes();
    let sealed = keyring.seal_with(|domain| sealed::seal(domain, Purpose::KnownBrowser, account, &[], &plain))?;
    Ok(Some(URL_SAFE_NO_PAD.encode(sealed)))
}

/// The number of the browser, if it shows that this user has signed in with it. Nothing for whatever else it shows.
pub(super) fn known(keyring: &Keyring, attempt: &Attempt<'_>, user_id: &str) -> Option<String> {
    let token = attempt.browser.filter(|token| token.len() <= TOKEN_CHARS_MAX)?;
    let sealed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let account = attempt.account.as_str().as_bytes();
    let plain = keyring
        .open_with(&sealed, |domain, message| sealed::open(domain, Purpose::KnownBrowser, account, &[], message))
        .ok()?;
    let browser = KnownBrowser::read(plain.expose())?;
    (browser.user_id == user_id && attempt.now.0 < browser.until).then(|| hex::encode(browser.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panic(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = KnownBrowser::read(&content);
        }

        #[test]
        fn what_is_written_is_read(user_id in "[0-9]{0,20}", id: [u8; 16], until: i64) {
            let browser = KnownBrowser { user_id, id, until };
            let mut content = postcard::to_allocvec(&browser).unwrap();
            prop_assert_eq!(KnownBrowser::read(&content), Some(browser));
            content.push(0);
            prop_assert_eq!(KnownBrowser::read(&content), None);
        }
    }
}

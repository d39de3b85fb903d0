//! The provider that is a PKCS#11 token: it wraps the provider's key under an AES key that never leaves it.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_crypto::secret::Key256;
use jomae_hsm::{CallError, Hsm, LABEL_PREFIX, Phase, TokenFacts, wire::Refusal};

use super::RootKeyError;
use crate::{
    config::{Config, HsmConfig},
    hsm,
};

/// How long a token may take to begin. Without it there is no service, so more than where keys in it only wait.
const WAIT: Duration = Duration::from_mins(1);
/// What the wrapped key is bound to.
const NAME: &str = "root-key";
/// How the parameters of a slot begin.
const SCHEME: &str = "pkcs11$";
/// The longest label of a key, in bytes.
const LABEL_BYTES_MAX: usize = 128;

fn failed(why: impl std::fmt::Display) -> RootKeyError {
    RootKeyError::Token(why.to_string())
}

/// What the parameters of a slot say: which key of which token wraps the slot's, and the wrapped key in Base64. Slots of
/// earlier versions do not say which token.
#[derive(Debug, PartialEq, Eq)]
struct Params<'p> {
    label: &'p str,
    serial: Option<&'p str>,
    wrapped: &'p str,
}

impl<'p> Params<'p> {
    /// A serial number may have any character; neither label nor Base64 has a dollar sign.
    fn parse(params: &'p str) -> Option<Self> {
        let (place, wrapped) = params.strip_prefix(SCHEME)?.rsplit_once('$')?;
        let (label, serial) = place.split_once('$').map_or((place, None), |(label, serial)| (label, Some(serial)));
        Some(Self { label, serial, wrapped })
    }
}

/// The serial number of the one token that the slots of a store name.
pub(super) fn serial_of<'s>(slots: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    let mut serials = slots.filter_map(|params| Params::parse(params)?.serial);
    let first = serials.next()?;
    serials.all(|other| other == first).then_some(first)
}

/// The token of the service, or else one that is begun for this. Its PIN is tried once, and by no other token than the one with
/// this serial number, unless the configuration names another.
async fn token(config: &Config, begun: Option<&Arc<Hsm>>, serial: Option<&str>) -> Result<Arc<Hsm>, RootKeyError> {
    let named = config.hsm.as_ref().and_then(|settings| settings.token_serial.as_deref());
    let serial = named.or(serial).map(str::to_owned);
    let token = match (begun, &config.hsm) {
        (Some(begun), _) => Arc::clone(begun),
        (None, Some(settings)) => {
            let settings = HsmConfig { workers: 1, token_serial: serial.clone(), ..settings.clone() };
            hsm::start(&settings, &config.data_dir).map_err(failed)?
        }
        (None, None) => return Err(failed("it is not named: [hsm] in the configuration")),
    };
    let waiting = Arc::clone(&token);
    let status = tokio::task::spawn_blocking(move || waiting.settled(WAIT)).await.map_err(failed)?;
    match status.phase {
        // One that was begun may have begun without knowing of this slot.
        Phase::Up => match (token.facts().map_err(failed)?, serial) {
            (TokenFacts { label, serial: found, .. }, Some(expected)) if found != expected => {
                Err(failed(Refusal::OtherToken { label, found, expected }))
            }
            _ => Ok(token),
        },
        Phase::Down { reason, is_final: true } => Err(RootKeyError::TokenRefuses(reason)),
        Phase::Down { reason, is_final: false } => Err(failed(reason)),
        Phase::Starting => Err(failed("it has not begun in time")),
    }
}

fn of_call(label: &str) -> impl Fn(CallError) -> RootKeyError {
    let label = label.to_owned();
    move |error| failed(format!("its key {label}: {error}"))
}

/// Refuses what is no label of a wrapping key. The one in a slot may be anybody's choice who can write where the slot stands.
fn expect_label(label: &str) -> Result<(), RootKeyError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if label.is_empty() || label.len() > LABEL_BYTES_MAX || !label.bytes().all(plain) {
        return Err(failed("the label of its key has 1 to 128 letters, digits, -, _, . and :"));
    }
    if label.starts_with(LABEL_PREFIX) {
        return Err(failed(format!(
            "the label {label} is that of a key version, which wraps no root key's slot; a slot that an earlier version has made so is \
             to be replaced with that version"
        )));
    }
    Ok(())
}

/// A new key, wrapped under the key of the token with this label, which is made if it is not there.
pub(super) async fn new_key(
    config: &Config,
    begun: Option<&Arc<Hsm>>,
    label: &str,
) -> Result<(Key256, String), RootKeyError> {
    expect_label(label)?;
    let token = token(config, begun, None).await?;
    let serial = token.facts().map_err(failed)?.serial;
    token.wrapping_key(label, true).await.map_err(of_call(label))?;
    let key = Key256::random();
    let wrapped = token.wrap(label, &key, NAME).await.map_err(of_call(label))?;
    Ok((key, format!("{SCHEME}{label}${serial}${}", STANDARD.encode(wrapped))))
}

/// The key of a slot.
pub(super) async fn key(config: &Config, begun: Option<&Arc<Hsm>>, params: &str) -> Result<Key256, RootKeyError> {
    let unreadable = || failed("what stands in the slot is not a wrapped key");
    let Params { label, serial, wrapped } = Params::parse(params).ok_or_else(unreadable)?;
    let wrapped = STANDARD.decode(wrapped).map_err(|_| unreadable())?;
    expect_label(label)?;
    token(config, begun, serial).await?.unwrap(label, &wrapped, NAME).await.map_err(of_call(label))
}

/// Which key of which token a slot needs, to be shown.
pub(crate) fn detail(params: &str) -> Option<String> {
    let Params { label, serial, .. } = Params::parse(params)?;
    Some(match serial {
        Some(serial) => format!("key {label} in the token {serial}"),
        None => format!("key {label}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_version_wraps_no_slot() {
        for label in ["jomae-root", "a", "jomae.root", "root:jomae:"] {
            assert!(expect_label(label).is_ok(), "{label}");
        }
        for label in ["", " ", "a b", "a\0", "jomae:", "jomae:1:key:version", "ä", &"a".repeat(129)] {
            assert!(expect_label(label).is_err(), "{label}");
        }
    }

    #[test]
    fn a_slot_says_which_token_and_older_ones_do_not() {
        let params = |label, serial| Some(Params { label, serial, wrapped: "AA==" });
        assert_eq!(Params::parse("pkcs11$jomae-root$c1f3$AA=="), params("jomae-root", Some("c1f3")));
        assert_eq!(Params::parse("pkcs11$jomae-root$AA=="), params("jomae-root", None));
        assert_eq!(Params::parse("pkcs11$a$b$c$AA=="), params("a", Some("b$c")));
        assert_eq!(Params::parse("pkcs11$jomae-root$$AA=="), params("jomae-root", Some("")));
        assert_eq!((Params::parse("pkcs11$a"), Params::parse("kms$a$b")), (None, None));
        assert_eq!(serial_of(["pkcs11$a$AA==", "pkcs11$a$s$AA==", "pkcs11$b$s$AA=="].into_iter()), Some("s"));
        assert_eq!(serial_of(["pkcs11$a$s$AA==", "pkcs11$b$t$AA=="].into_iter()), None);
    }
}

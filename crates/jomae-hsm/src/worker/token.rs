//! Finding the token, logging in, and finding out what it can do.

use std::path::Path;

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::MechanismType,
    session::{Session, UserType},
    slot::{Slot, TokenInfo},
    types::AuthPin,
};
use jomae_crypto::{asym::PrivateKey, secret::SecretBytes};

use super::{key, one_line, sessions};
use crate::{
    kind::{Hash, Kind, Shape},
    wire::{KEY_ID_BYTES, KeyRef, Refusal, Start, TokenFacts},
};

/// A token that is ready.
pub struct Opened {
    pub facts: TokenFacts,
    /// Logged in, all of them: a login is the process's.
    pub sessions: Vec<Session>,
    pub place: Place,
}

/// Where sessions are opened.
pub struct Place {
    module: Pkcs11,
    slot: Slot,
}

impl Place {
    /// Whether the token is still the one in its slot.
    pub fn is_there(&self, serial: &str) -> bool {
        self.module
            .get_token_info(self.slot)
            .is_ok_and(|info| info.token_initialized() && one_line(info.serial_number()) == serial)
    }

    /// A session in place of another. That one is closed after it, if there is room: with its last session a process is
    /// logged out.
    pub fn session_instead(&self, old: Session) -> Result<Session, Error> {
        match self.module.open_rw_session(self.slot) {
            Err(Error::Pkcs11(RvError::SessionCount, _)) => {
                drop(old);
                self.module.open_rw_session(self.slot)
            }
            other => other,
        }
    }
}

fn refused(error: &Error) -> Refusal {
    match error {
        Error::Pkcs11(rv, function) => Refusal::Token(format!("{function:?}: {rv:?}")),
        other => Refusal::Token(one_line(&other.to_string())),
    }
}

/// Loads the module and logs in. The PIN is tried once.
pub fn open(start: &Start) -> Result<Opened, Refusal> {
    let module =
        Pkcs11::new(Path::new(&start.module)).map_err(|error| Refusal::Module(one_line(&error.to_string())))?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(Refusal::Module(one_line(&error.to_string()))),
    }
    let (slot, info) = find(&module, start)?;
    let mut facts = TokenFacts {
        label: one_line(info.label()),
        serial: one_line(info.serial_number()),
        model: one_line(&format!("{} {}", info.manufacturer_id(), info.model())),
        firmware: info.firmware_version().to_string(),
        pin_count_low: info.user_pin_count_low(),
        kinds: Vec::new(),
        importable: Vec::new(),
    };
    let place = Place { module, slot };
    if start.sessions == 0 {
        return Ok(Opened { facts, sessions: Vec::new(), place });
    }
    if start.careful && facts.pin_count_low {
        return Err(Refusal::PinDoubtful);
    }
    if info.user_pin_final_try() {
        return Err(Refusal::FinalTry);
    }
    if info.user_pin_locked() || !info.user_pin_initialized() {
        return Err(Refusal::PinUnusable);
    }
    let module = &place.module;
    let first = module.open_rw_session(slot).map_err(|error| refused(&error))?;
    if let Err(refusal) = login(&first, start) {
        // Not closed: a module may block there, and then nobody would hear that the PIN is wrong.
        std::mem::forget(first);
        return Err(refusal);
    }
    let mut opened = vec![first];
    for _ in 1..sessions(start.sessions) {
        match module.open_rw_session(slot) {
            Ok(session) => opened.push(session),
            // A token that has no more to give works with what there is.
            Err(Error::Pkcs11(RvError::SessionCount, _)) => break,
            Err(error) => return Err(refused(&error)),
        }
    }
    if let (Some(session), true) = (opened.first(), start.probe) {
        (facts.kinds, facts.importable) = probe(module, slot, session).map_err(|error| refused(&error))?;
    }
    Ok(Opened { facts, sessions: opened, place })
}

fn find(module: &Pkcs11, start: &Start) -> Result<(Slot, TokenInfo), Refusal> {
    let mut found = Vec::new();
    for slot in module.get_slots_with_token().map_err(|error| refused(&error))? {
        // One that cannot be read is not ours to judge: another one may be the token.
        let Ok(info) = module.get_token_info(slot) else { continue };
        if info.token_initialized() && info.label() == start.label {
            found.push((slot, info));
        }
    }
    if found.is_empty() {
        return Err(Refusal::NoToken(start.label.clone()));
    }
    let serials: Vec<String> = found.iter().map(|(_, info)| one_line(info.serial_number())).collect();
    let serials = serials.join(", ");
    match &start.serial {
        Some(expected) => {
            let other = || Refusal::OtherToken {
                label: start.label.clone(),
                found: serials.clone(),
                expected: expected.clone(),
            };
            found.into_iter().find(|(_, info)| info.serial_number() == expected).ok_or_else(other)
        }
        None if found.len() > 1 => Err(Refusal::Ambiguous(start.label.clone(), serials)),
        None => found.pop().ok_or_else(|| Refusal::NoToken(start.label.clone())),
    }
}

fn login(session: &Session, start: &Start) -> Result<(), Refusal> {
    let pin = std::str::from_utf8(start.pin.expose()).map_err(|_| Refusal::Token("the PIN is not UTF-8".to_owned()))?;
    let pin: AuthPin = AuthPin::from(pin);
    match session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
            Err(Refusal::PinIncorrect)
        }
        Err(Error::Pkcs11(RvError::PinLocked | RvError::UserPinNotInitialized | RvError::PinExpired, _)) => {
            Err(Refusal::PinUnusable)
        }
        Err(error) => Err(refused(&error)),
    }
}

/// What the token can make and use, and of what it takes material: each tried with a throw-away key that lasts as long as
/// the session. Of RSA the shortest is tried, as the others take seconds; for them the token's word counts.
fn probe(module: &Pkcs11, slot: Slot, session: &Session) -> Result<(Vec<Kind>, Vec<Kind>), Error> {
    let listed = module.get_mechanism_list(slot)?;
    let mut kinds = Vec::new();
    let mut importable = Vec::new();
    for kind in Kind::ALL.iter().copied().filter(|kind| mechanisms(*kind).iter().all(|one| listed.contains(one))) {
        let (tried, fits) = match kind.shape() {
            Shape::Rsa { bits, signs } if bits > 2048 => {
                let tried = if signs { Kind::Rsa2048Sign } else { Kind::Rsa2048Decrypt };
                let info = module.get_mechanism_info(slot, MechanismType::RSA_PKCS_KEY_PAIR_GEN)?;
                (tried, info.max_key_size() >= usize::from(bits))
            }
            _ => (kind, true),
        };
        let made = if tried == kind { makes(session, kind) } else { kinds.contains(&tried) };
        if made && fits {
            kinds.push(kind);
            let taken = if tried == kind { takes(session, kind) } else { importable.contains(&tried) };
            if taken {
                importable.push(kind);
            }
        }
    }
    Ok((kinds, importable))
}

fn mechanisms(kind: Kind) -> &'static [MechanismType] {
    match kind.shape() {
        Shape::Aes { .. } => &[MechanismType::AES_KEY_GEN, MechanismType::AES_GCM],
        Shape::Rsa { signs: true, .. } => {
            &[MechanismType::RSA_PKCS_KEY_PAIR_GEN, MechanismType::RSA_PKCS, MechanismType::RSA_PKCS_PSS]
        }
        Shape::Rsa { signs: false, .. } => &[MechanismType::RSA_PKCS_KEY_PAIR_GEN, MechanismType::RSA_PKCS_OAEP],
        Shape::Ec(_) => &[MechanismType::ECC_KEY_PAIR_GEN, MechanismType::ECDSA],
        Shape::Ed25519 => &[MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, MechanismType::EDDSA],
        Shape::Hmac(hash) => match hash {
            Hash::Sha224 => &[MechanismType::GENERIC_SECRET_KEY_GEN, MechanismType::SHA224_HMAC],
            Hash::Sha256 => &[MechanismType::GENERIC_SECRET_KEY_GEN, MechanismType::SHA256_HMAC],
            Hash::Sha384 => &[MechanismType::GENERIC_SECRET_KEY_GEN, MechanismType::SHA384_HMAC],
            Hash::Sha512 => &[MechanismType::GENERIC_SECRET_KEY_GEN, MechanismType::SHA512_HMAC],
        },
    }
}

const PROBE_LABEL: &str = "jomae probe";

fn throw_away(kind: Kind) -> KeyRef {
    KeyRef { kind, id: jomae_crypto::rng::array::<KEY_ID_BYTES>() }
}

fn makes(session: &Session, kind: Kind) -> bool {
    let Ok((handle, public)) = key::generate(session, &throw_away(kind), PROBE_LABEL, key::Lasting::Session) else {
        return false;
    };
    let works = key::check(session, handle, kind, public.as_deref()).is_ok();
    let _gone_with_the_session = session.destroy_object(handle);
    works
}

fn takes(session: &Session, kind: Kind) -> bool {
    let (material, public) = match (kind.material_bytes(), kind.pair()) {
        (Some(bytes), _) => (SecretBytes::random(bytes), None),
        (None, Some(spec)) => {
            let Ok(pair) = PrivateKey::generate(spec) else { return false };
            let Ok(pkcs8) = pair.to_pkcs8() else { return false };
            (pkcs8, Some(pair.public_spki()))
        }
        (None, None) => return false,
    };
    let taken = key::import(session, &throw_away(kind), PROBE_LABEL, material.expose(), key::Lasting::Session);
    let Ok(handle) = taken else { return false };
    let works = key::check(session, handle, kind, public.as_deref()).is_ok();
    let _gone_with_the_session = session.destroy_object(handle);
    works
}

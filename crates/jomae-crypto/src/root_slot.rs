//! Slots of the root key: each gives the root key to whoever has the key of one provider.
//!
//! A slot has a key pair of ML-KEM-1024 (FIPS 203). The decapsulation key is wrapped under the provider's key; the root
//! key is sealed to the encapsulation key. So a new root key can be put into every slot by one who has none of the
//! providers' keys, and whoever had an earlier root key learns nothing of it.
//!
//! # Layouts
//!
//! | what                         | layout                                                                          |
//! |------------------------------|---------------------------------------------------------------------------------|
//! | decapsulation key, wrapped   | [`crate::sealed`] under the provider's key, purpose `root-slot-key`, binding: name of the slot |
//! | root key, sealed             | 1568 bytes of ML-KEM ciphertext, then [`crate::sealed`] under the shared secret, purpose `root-in-slot`, binding: name of the slot, AAD: the ML-KEM ciphertext |
//! | seal of the list of slots    | [`crate::sealed`] of nothing under the root key, purpose `root-slots`, AAD: the list |
//! | voucher of a slot            | [`crate::sealed`] of nothing under the provider's key, purpose `slot-voucher`, binding: name of the slot, AAD: what is vouched for |

use std::fmt;

use aws_lc_rs::kem::{AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_1024};
use zeroize::Zeroizing;

use crate::purpose::Purpose;
use crate::root::RootMaterial;
use crate::sealed::{self, OVERHEAD_BYTES, OpenError, SealError, SealingKey};
use crate::secret::{Key256, assert_not_impl};

/// Bytes of an encapsulation key, the public half of a slot.
pub const PUBLIC_BYTES: usize = 1568;
/// Bytes of an ML-KEM ciphertext.
const CIPHERTEXT_BYTES: usize = 1568;
/// Bytes of a wrapped decapsulation key.
pub const WRAPPED_BYTES: usize = 3168 + OVERHEAD_BYTES;
/// Bytes of a root key in a slot.
pub const SEALED_BYTES: usize = CIPHERTEXT_BYTES + 32 + OVERHEAD_BYTES;

/// The secret half of a slot: opens the root key of today and of tomorrow. Erased on drop, by the library.
pub struct SlotKey(DecapsulationKey<AlgorithmId>);

assert_not_impl!(SlotKey: fmt::Display, Clone, PartialEq, serde::Serialize);

impl SlotKey {
    /// A new key pair: the secret half, and the public one of [`PUBLIC_BYTES`], which is to be kept beside it: the library
    /// does not find it again.
    ///
    /// # Errors
    /// The library makes none.
    pub fn random() -> Result<(Self, Vec<u8>), SealError> {
        let key = DecapsulationKey::generate(&ML_KEM_1024).map_err(|_| SealError)?;
        let public = key.encapsulation_key().and_then(|public| public.key_bytes()).map_err(|_| SealError)?;
        let public = public.as_ref().to_vec();
        Ok((Self(key), public))
    }

    /// Wraps it under the key of a provider, for the slot of this name.
    ///
    /// # Errors
    /// The library does not give its bytes.
    pub fn wrap(&self, provider: &Key256, name: &str) -> Result<Vec<u8>, SealError> {
        let bytes = self.0.key_bytes().map_err(|_| SealError)?;
        let bytes = Zeroizing::new(bytes.as_ref().to_vec());
        sealed::seal(&SealingKey::new(provider.expose())?, Purpose::RootSlotKey, name.as_bytes(), &[], &bytes)
    }

    /// The inverse of [`SlotKey::wrap`].
    ///
    /// # Errors
    /// Another key, another name, or damage.
    pub fn unwrap(provider: &Key256, name: &str, wrapped: &[u8]) -> Result<Self, OpenError> {
        let provider = SealingKey::new(provider.expose()).map_err(|_| OpenError)?;
        let bytes = sealed::open(&provider, Purpose::RootSlotKey, name.as_bytes(), &[], wrapped)?;
        DecapsulationKey::new(&ML_KEM_1024, bytes.expose()).map(Self).map_err(|_| OpenError)
    }

    /// The root key that was sealed to the public half, for the slot of this name.
    ///
    /// # Errors
    /// It was sealed to another slot, or is damaged.
    pub fn open(&self, name: &str, sealed_root: &[u8]) -> Result<RootMaterial, OpenError> {
        let (ciphertext, message) = sealed_root.split_at_checked(CIPHERTEXT_BYTES).ok_or(OpenError)?;
        let shared = self.0.decapsulate(Ciphertext::from(ciphertext)).map_err(|_| OpenError)?;
        let shared = SealingKey::new(shared.as_ref()).map_err(|_| OpenError)?;
        let root = sealed::open(&shared, Purpose::RootInSlot, name.as_bytes(), ciphertext, message)?;
        Key256::from_slice(root.expose()).map(RootMaterial::from).ok_or(OpenError)
    }
}

/// Vouches for what whoever has the key of a slot's provider shall know again. Anybody can seal a root key to the public half of
/// a slot; this nobody can make who has not the provider's key.
pub struct VouchingKey(Box<SealingKey>);

assert_not_impl!(VouchingKey: fmt::Debug, fmt::Display, Clone, PartialEq, serde::Serialize);

impl VouchingKey {
    /// That of a provider.
    ///
    /// # Errors
    /// The library makes none.
    pub fn of(provider: &Key256) -> Result<Self, SealError> {
        SealingKey::new(provider.expose()).map(|key| Self(Box::new(key)))
    }

    /// What shows that it was vouched for this text in the slot of this name.
    ///
    /// # Errors
    /// As of [`sealed::seal`].
    pub fn vouch(&self, name: &str, text: &str) -> Result<Vec<u8>, SealError> {
        sealed::seal(&self.0, Purpose::SlotVoucher, name.as_bytes(), text.as_bytes(), &[])
    }

    /// Whether [`VouchingKey::vouch`] made this for the same.
    ///
    /// # Errors
    /// Another text, another slot, or another provider's key.
    pub fn check(&self, name: &str, text: &str, voucher: &[u8]) -> Result<(), OpenError> {
        sealed::open(&self.0, Purpose::SlotVoucher, name.as_bytes(), text.as_bytes(), voucher).map(drop)
    }
}

/// Seals a root key to the public half of the slot of this name.
///
/// # Errors
/// The bytes are no public half.
pub fn seal_to(public: &[u8], name: &str, root: &RootMaterial) -> Result<Vec<u8>, SealError> {
    let public = EncapsulationKey::new(&ML_KEM_1024, public).map_err(|_| SealError)?;
    let (ciphertext, shared) = public.encapsulate().map_err(|_| SealError)?;
    let shared = SealingKey::new(shared.as_ref())?;
    let (name, ciphertext) = (name.as_bytes(), ciphertext.as_ref());
    let message = sealed::seal(&shared, Purpose::RootInSlot, name, ciphertext, root.key().expose())?;
    Ok([ciphertext, &message].concat())
}

/// What shows that the holder of the root key has made this list of slots.
///
/// # Errors
/// As of [`sealed::seal`].
pub fn seal_list(root: &RootMaterial, list: &[u8]) -> Result<Vec<u8>, SealError> {
    sealed::seal(&SealingKey::new(root.key().expose())?, Purpose::RootSlots, &[], list, &[])
}

/// Whether the holder of the root key has made this list of slots.
///
/// # Errors
/// It is another list, or another root key's.
pub fn check_list(root: &RootMaterial, list: &[u8], seal: &[u8]) -> Result<(), OpenError> {
    let root = SealingKey::new(root.key().expose()).map_err(|_| OpenError)?;
    sealed::open(&root, Purpose::RootSlots, &[], list, seal).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn provider(byte: u8) -> Key256 {
        Key256::from_slice(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_slot_gives_the_root_key_under_its_provider_and_name_only() {
        let ((slot, public), root) = (SlotKey::random().unwrap(), RootMaterial::random());
        let wrapped = slot.wrap(&provider(1), "file").unwrap();
        let sealed = seal_to(&public, "file", &root).unwrap();
        assert_eq!((public.len(), wrapped.len(), sealed.len()), (PUBLIC_BYTES, WRAPPED_BYTES, SEALED_BYTES));

        let again = SlotKey::unwrap(&provider(1), "file", &wrapped).unwrap();
        assert_eq!(again.open("file", &sealed).unwrap().key().expose(), root.key().expose());
        assert!(SlotKey::unwrap(&provider(2), "file", &wrapped).is_err());
        assert!(SlotKey::unwrap(&provider(1), "files", &wrapped).is_err());
        assert!(again.open("files", &sealed).is_err());
        assert!(SlotKey::random().unwrap().0.open("file", &sealed).is_err());
        assert!(seal_to(&public[1..], "file", &root).is_err());
    }

    #[test]
    fn a_damaged_slot_gives_nothing() {
        let ((slot, public), root) = (SlotKey::random().unwrap(), RootMaterial::random());
        let sealed = seal_to(&public, "file", &root).unwrap();
        let wrapped = slot.wrap(&provider(1), "file").unwrap();
        for at in (0..sealed.len()).step_by(97) {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(slot.open("file", &damaged).is_err(), "{at}");
            assert!(slot.open("file", &sealed[..at]).is_err(), "{at}");
        }
        for at in (0..wrapped.len()).step_by(97) {
            let mut damaged = wrapped.clone();
            damaged[at] ^= 1;
            assert!(SlotKey::unwrap(&provider(1), "file", &damaged).is_err(), "{at}");
        }
    }

    #[test]
    fn a_list_is_that_of_one_root_key() {
        let (root, other) = (RootMaterial::random(), RootMaterial::random());
        let seal = seal_list(&root, b"slots").unwrap();
        assert_eq!(check_list(&root, b"slots", &seal), Ok(()));
        assert_eq!(check_list(&root, b"slot", &seal), Err(OpenError));
        assert_eq!(check_list(&other, b"slots", &seal), Err(OpenError));
        assert_eq!(check_list(&root, b"slots", &seal[1..]), Err(OpenError));
    }

    #[test]
    fn a_voucher_is_that_of_one_provider_slot_and_text() {
        let key = VouchingKey::of(&provider(1)).unwrap();
        let voucher = key.vouch("file", "text").unwrap();
        assert_eq!(VouchingKey::of(&provider(1)).unwrap().check("file", "text", &voucher), Ok(()));
        assert_eq!(VouchingKey::of(&provider(2)).unwrap().check("file", "text", &voucher), Err(OpenError));
        assert_eq!(key.check("files", "text", &voucher), Err(OpenError));
        assert_eq!(key.check("file", "texts", &voucher), Err(OpenError));
        assert_eq!(key.check("file", "text", &voucher[1..]), Err(OpenError));
        // What else is under the same key is none.
        let (slot, _) = SlotKey::random().unwrap();
        assert_eq!(key.check("file", "", &slot.wrap(&provider(1), "file").unwrap()), Err(OpenError));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
            let (slot, _) = SlotKey::random().unwrap();
            prop_assert!(slot.open("file", &bytes).is_err());
            prop_assert!(SlotKey::unwrap(&provider(1), "file", &bytes).is_err());
            prop_assert!(check_list(&RootMaterial::random(), b"", &bytes).is_err());
            prop_assert!(VouchingKey::of(&provider(1)).unwrap().check("file", "", &bytes).is_err());
        }
    }
}

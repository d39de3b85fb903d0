//! Shredding keys: what lies around wrapped key material so that it can be destroyed where nobody reaches it any more.
//!
//! Key material that was wrapped ([`crate::wrap`]) is wrapped once more under a shredding key. Copies of it, wherever they
//! are, are worth nothing when the shredding key is destroyed. The inner wrapping is not touched: whoever changes the
//! outer one never has the material.
//!
//! # Layouts
//!
//! | what | layout |
//! |---|---|
//! | wrapped material | form (1 byte, 0x02), ID of the shredding key (8 bytes), then [`crate::sealed`] of the inner wrapping under the shredding key, purpose `shredded`, binding: that of [`crate::envelope`] |
//! | shredding key, to be used | [`crate::sealed`] under a domain key, purpose `shredding-key`, binding: its ID as text |
//! | shredding key, to be recovered | as the root key in a slot called `shredding/<ID>` ([`crate::root_slot`]) |
//!
//! The ID is year and month of making as a number such as 202611 (u32, big-endian), and 4 random bytes. As text:
//! `2026-11-0123abcd`.

use std::fmt;

use crate::envelope::Binding;
use crate::purpose::Purpose;
use crate::rng;
use crate::root::RootMaterial;
use crate::root_slot::{self, SlotKey};
use crate::sealed::{self, OpenError, SealError, SealingKey};
use crate::secret::{Key256, assert_not_impl};

/// The first byte of material under a shredding key; under a domain key alone it is 0x01.
pub const FORM: u8 = 2;
const ID_BYTES: usize = 8;
const HEAD_BYTES: usize = 1 + ID_BYTES;
/// The name of the slot whose key the shares of recovery give.
pub const RECOVERY_SLOT: &str = "shredding";

/// Which shredding key it is. No secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShreddingKeyId([u8; ID_BYTES]);

impl ShreddingKeyId {
    /// A new one, of a month such as `2026-11`; `None` if it is none.
    pub fn random(month: &str) -> Option<Self> {
        Self::from_text(&format!("{month}-{}", hex::encode(rng::public_array::<4>())))
    }

    /// From its text.
    pub fn from_text(text: &str) -> Option<Self> {
        let (month, random) = text.split_at_checked(8)?;
        let (year, rest) = month.split_at_checked(4)?;
        let month = rest.strip_prefix('-')?.strip_suffix('-')?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_lower = random.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !(digits(year) && digits(month) && is_lower) {
            return None;
        }
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        let random: [u8; 4] = hex::decode(random).ok()?.try_into().ok()?;
        if !(1..=12).contains(&month) {
            return None;
        }
        let mut id = [0; ID_BYTES];
        let (head, tail) = id.split_at_mut(4);
        head.copy_from_slice(&(year * 100 + month).to_be_bytes());
        tail.copy_from_slice(&random);
        Some(Self(id))
    }

    /// The month in which it was made, such as `2026-11`.
    pub fn month(&self) -> String {
        let month = u32::from_be_bytes(self.0.first_chunk().copied().unwrap_or_default());
        format!("{:04}-{:02}", month / 100, month % 100)
    }

    /// Under which shredding key this wrapped material is; `None` if under none.
    pub fn of_wrapped(wrapped: &[u8]) -> Option<Self> {
        let (head, _) = wrapped.split_first_chunk::<HEAD_BYTES>()?;
        let [FORM, id @ ..] = *head else { return None };
        Some(Self(id))
    }
}

impl fmt::Display for ShreddingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let random: [u8; 4] = self.0.last_chunk().copied().unwrap_or_default();
        write!(f, "{}-{}", self.month(), hex::encode(random))
    }
}

/// A shredding key, erased on drop.
pub struct ShreddingKey {
    id: ShreddingKeyId,
    key: Key256,
    sealing: SealingKey,
}

assert_not_impl!(ShreddingKey: fmt::Debug, fmt::Display, Clone, PartialEq, serde::Serialize);

impl ShreddingKey {
    /// A new random one.
    ///
    /// # Errors
    /// As of [`SealingKey::new`].
    pub fn random(id: ShreddingKeyId) -> Result<Self, SealError> {
        Self::new(id, Key256::random())
    }

    fn new(id: ShreddingKeyId, key: Key256) -> Result<Self, SealError> {
        let sealing = SealingKey::new(key.expose())?;
        Ok(Self { id, key, sealing })
    }

    /// Which one it is.
    pub fn id(&self) -> ShreddingKeyId {
        self.id
    }

    /// Wraps wrapped material of the key version that `binding` names once more.
    ///
    /// # Errors
    /// As of [`sealed::seal`].
    pub fn wrap(&self, binding: &Binding<'_>, inner: &[u8]) -> Result<Vec<u8>, SealError> {
        let sealed = sealed::seal(&self.sealing, Purpose::Shredded, &binding.to_bytes(), &[], inner)?;
        let mut out = Vec::with_capacity(HEAD_BYTES + sealed.len());
        out.push(FORM);
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// The inverse of [`ShreddingKey::wrap`]: material that is still wrapped.
    ///
    /// # Errors
    /// Under another shredding key, of another key version, or damaged.
    pub fn unwrap(&self, binding: &Binding<'_>, wrapped: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (head, message) = wrapped.split_first_chunk::<HEAD_BYTES>().ok_or(OpenError)?;
        let [FORM, id @ ..] = head else { return Err(OpenError) };
        if *id != self.id.0 {
            return Err(OpenError);
        }
        let inner = sealed::open(&self.sealing, Purpose::Shredded, &binding.to_bytes(), &[], message)?;
        Ok(inner.expose().to_vec())
    }

    /// Seals it under a domain key.
    ///
    /// # Errors
    /// As of [`sealed::seal`].
    pub fn seal(&self, domain_key: &SealingKey) -> Result<Vec<u8>, SealError> {
        sealed::seal(domain_key, Purpose::ShreddingKey, self.id.to_string().as_bytes(), &[], self.key.expose())
    }

    /// The inverse of [`ShreddingKey::seal`].
    ///
    /// # Errors
    /// Another domain key, another ID, or damage.
    pub fn open(id: ShreddingKeyId, domain_key: &SealingKey, sealed: &[u8]) -> Result<Self, OpenError> {
        let key = sealed::open(domain_key, Purpose::ShreddingKey, id.to_string().as_bytes(), &[], sealed)?;
        Self::of_bytes(id, key.expose())
    }

    /// Seals it to the public half of the slot of recovery.
    ///
    /// # Errors
    /// The bytes are no public half.
    pub fn seal_for_recovery(&self, public: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = Key256::from_slice(self.key.expose()).map(RootMaterial::from).ok_or(SealError)?;
        root_slot::seal_to(public, &recovered(self.id), &key)
    }

    /// The inverse of [`ShreddingKey::seal_for_recovery`].
    ///
    /// # Errors
    /// Sealed to another slot, another ID, or damage.
    pub fn recover(id: ShreddingKeyId, slot: &SlotKey, sealed: &[u8]) -> Result<Self, OpenError> {
        let key = slot.open(&recovered(id), sealed)?;
        Self::of_bytes(id, key.key().expose())
    }

    fn of_bytes(id: ShreddingKeyId, bytes: &[u8]) -> Result<Self, OpenError> {
        let key = Key256::from_slice(bytes).ok_or(OpenError)?;
        Self::new(id, key).map_err(|_| OpenError)
    }
}

fn recovered(id: ShreddingKeyId) -> String {
    format!("{RECOVERY_SLOT}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BINDING: Binding<'static> = Binding {
        account: "1234567890123456",
        region: "cn-hangzhou",
        key_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73",
        version_id: "2ab1a983-7072-4bbc-a582-584b5bd8edf4",
        spec: "Aliyun_AES_256",
        usage: "ENCRYPT/DECRYPT",
    };

    fn key(text: &str) -> ShreddingKey {
        ShreddingKey::random(ShreddingKeyId::from_text(text).unwrap()).unwrap()
    }

    #[test]
    fn an_id_is_its_text() {
        let id = ShreddingKeyId::from_text("2026-11-0123abcd").unwrap();
        assert_eq!((id.to_string().as_str(), id.month().as_str()), ("2026-11-0123abcd", "2026-11"));
        assert_eq!(id.0, [0, 3, 0x17, 0x73, 1, 0x23, 0xab, 0xcd]);
        assert_eq!(ShreddingKeyId::random("2027-01").unwrap().month(), "2027-01");
        for wrong in [
            "",
            "2026-11",
            "2026-13-0123abcd",
            "2026-00-0123abcd",
            "2026-11-0123ABCD",
            "2026-11-0123abc",
            "+026-11-0123abcd",
        ] {
            assert!(ShreddingKeyId::from_text(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn material_opens_under_its_shredding_key_and_version_only() {
        let (one, other) = (key("2026-11-00000001"), key("2026-11-00000001"));
        let wrapped = one.wrap(&BINDING, b"inner").unwrap();
        assert_eq!(ShreddingKeyId::of_wrapped(&wrapped), Some(one.id()));
        assert_eq!(ShreddingKeyId::of_wrapped(b"\x01innerinnerinner"), None);
        assert_eq!(one.unwrap(&BINDING, &wrapped).unwrap(), b"inner");
        assert!(other.unwrap(&BINDING, &wrapped).is_err());
        assert!(key("2026-11-00000002").unwrap(&BINDING, &wrapped).is_err());
        assert!(one.unwrap(&Binding { usage: "SIGN/VERIFY", ..BINDING }, &wrapped).is_err());
        for at in 0..wrapped.len() {
            let mut damaged = wrapped.clone();
            damaged[at] ^= 1;
            assert!(one.unwrap(&BINDING, &damaged).is_err(), "{at}");
            assert!(one.unwrap(&BINDING, &wrapped[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn a_shredding_key_is_kept_under_a_domain_key_and_recovered_from_its_slot() {
        let one = key("2026-11-00000001");
        let wrapped = one.wrap(&BINDING, b"inner").unwrap();
        let opens = |opened: &ShreddingKey| opened.unwrap(&BINDING, &wrapped).unwrap() == b"inner";

        let domain = SealingKey::new(&[7; 32]).unwrap();
        let sealed = one.seal(&domain).unwrap();
        assert!(opens(&ShreddingKey::open(one.id(), &domain, &sealed).unwrap()));
        let other_id = ShreddingKeyId::from_text("2026-11-00000002").unwrap();
        assert!(ShreddingKey::open(other_id, &domain, &sealed).is_err());
        assert!(ShreddingKey::open(one.id(), &SealingKey::new(&[8; 32]).unwrap(), &sealed).is_err());

        let (slot, public) = SlotKey::random().unwrap();
        let sealed = one.seal_for_recovery(&public).unwrap();
        assert!(opens(&ShreddingKey::recover(one.id(), &slot, &sealed).unwrap()));
        assert!(ShreddingKey::recover(other_id, &slot, &sealed).is_err());
        assert!(ShreddingKey::recover(one.id(), &SlotKey::random().unwrap().0, &sealed).is_err());
        assert!(one.seal_for_recovery(&public[1..]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,20}") {
            prop_assert!(key("2026-11-00000001").unwrap(&BINDING, &bytes).is_err());
            let of_wrapped = ShreddingKeyId::of_wrapped(&bytes);
            prop_assert!(of_wrapped.is_none() || bytes[0] == FORM);
            let of_text = ShreddingKeyId::from_text(&text);
            prop_assert!(of_text.is_none_or(|id| id.to_string() == text));
        }
    }
}

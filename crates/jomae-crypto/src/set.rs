//! A keyed hash of a set of named values that follows each change without a look at the rest of the set.
//!
//! MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend and Suh, "Incremental Multiset Hash Functions and Their Application
//! to Memory Integrity Checking" (ASIACRYPT 2003): the sum, modulo 2^256, of
//!
//! ```text
//! HMAC-SHA256(element key, length of the name (u64, big-endian) ‖ name ‖ value)
//! element key (32) ‖ digest key (32) = HKDF-SHA256(the key, info = label of `StateOfStore` ‖ 0x00, L = 64)
//! ```
//!
//! over all elements. **A sum must not become known** to those whom it is to convict. Additions modulo 2^256 have so much
//! structure that from some thousand known sums other sets of the same sum could be put together (Wagner, "A Generalized
//! Birthday Problem", CRYPTO 2002). So a sum is kept sealed, and what is shown of it is its [`SetKey::digest`].

use crate::{
    mac::{Mac, MacAlg, MacKey},
    purpose::Purpose,
    sealed::{SealError, SealingKey},
    secret::{assert_not_impl, ct_eq},
};
use zeroize::Zeroizing;

/// Length of a sum and of its digest, in bytes.
pub const SUM_BYTES: usize = 32;
const LIMBS: usize = SUM_BYTES / 8;

/// The keys of the hash. Wiped on drop.
pub struct SetKey {
    elements: MacKey,
    digests: MacKey,
}

assert_not_impl!(SetKey: std::fmt::Debug, std::fmt::Display, Clone, PartialEq, serde::Serialize);

impl SetKey {
    /// The keys that belong to another key.
    pub fn of(key: &SealingKey) -> Result<Self, SealError> {
        let mut derived = Zeroizing::new([0; 2 * SUM_BYTES]);
        key.expand(&[Purpose::StateOfStore.label().as_bytes(), &[0]], &mut *derived).ok_or(SealError)?;
        let (elements, digests) = derived.split_at(SUM_BYTES);
        Ok(Self { elements: MacKey::new(MacAlg::Sha256, elements), digests: MacKey::new(MacAlg::Sha256, digests) })
    }

    /// The sum of a set that has this element alone.
    pub fn element(&self, name: &[u8], value: &[u8]) -> SetSum {
        let mut mac = Mac::with_key(&self.elements);
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name);
        mac.update(value);
        SetSum::of_tag(&mac.finish())
    }

    /// What may be shown of a sum, and of the number that goes with it.
    pub fn digest(&self, number: u64, sum: &SetSum) -> [u8; SUM_BYTES] {
        let mut mac = Mac::with_key(&self.digests);
        mac.update(&number.to_be_bytes());
        mac.update(&*sum.to_bytes());
        SetSum::of_tag(&mac.finish()).0.to_bytes()
    }
}

/// The hash of a set. Sums of disjoint sets add up to that of both; what is removed is subtracted. Wiped on drop.
#[derive(Clone, Default)]
pub struct SetSum(Limbs);

/// A number below 2^256, least significant part first.
#[derive(Clone, Default)]
struct Limbs(Zeroizing<[u64; LIMBS]>);

impl Limbs {
    fn of_bytes(bytes: &[u8; SUM_BYTES]) -> Self {
        let mut limbs = Zeroizing::new([0; LIMBS]);
        for (limb, part) in limbs.iter_mut().zip(bytes.rchunks_exact(8)) {
            *limb = part.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
        }
        Self(limbs)
    }

    fn to_bytes(&self) -> [u8; SUM_BYTES] {
        let mut bytes = [0; SUM_BYTES];
        for (part, limb) in bytes.rchunks_exact_mut(8).zip(self.0.iter()) {
            part.copy_from_slice(&limb.to_be_bytes());
        }
        bytes
    }
}

assert_not_impl!(SetSum: std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);

impl SetSum {
    fn of_tag(tag: &[u8]) -> Self {
        let mut bytes = Zeroizing::new([0; SUM_BYTES]);
        for (to, from) in bytes.iter_mut().zip(tag) {
            *to = *from;
        }
        Self(Limbs::of_bytes(&bytes))
    }

    /// From its form at rest; `None` unless that has [`SUM_BYTES`].
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(Limbs::of_bytes(bytes.try_into().ok()?)))
    }

    /// Its form at rest, big-endian, which must be kept sealed.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SUM_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Adds the elements of another set.
    pub fn add(&mut self, other: &Self) {
        let mut carry = false;
        for (limb, more) in self.0.0.iter_mut().zip(other.0.0.iter()) {
            let (sum, over) = limb.overflowing_add(*more);
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over || over_by_carry);
        }
    }

    /// Takes the elements of another set away.
    pub fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (limb, less) in self.0.0.iter_mut().zip(other.0.0.iter()) {
            let (rest, under) = limb.overflowing_sub(*less);
            let (rest, under_by_borrow) = rest.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (rest, under || under_by_borrow);
        }
    }

    /// Whether both are the same, in constant time.
    pub fn is(&self, other: &Self) -> bool {
        ct_eq(&*self.to_bytes(), &*other.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> SetKey {
        SetKey::of(&SealingKey::new(&[byte; 32]).unwrap()).unwrap()
    }

    fn sum(bytes: [u8; 32]) -> SetSum {
        SetSum::from_slice(&bytes).unwrap()
    }

    fn hex_of(sum: &SetSum) -> String {
        hex::encode(*sum.to_bytes())
    }

    #[test]
    fn carries_and_borrows_go_through_all_bytes() {
        let (mut one, most) = ([0; 32], [0xff; 32]);
        one[31] = 1;
        let mut total = sum(most);
        total.add(&sum(one));
        assert_eq!(*total.to_bytes(), [0; 32]);
        total.subtract(&sum(one));
        assert_eq!(*total.to_bytes(), most);
        let mut limb = sum([0; 32]);
        let mut low = [0; 32];
        low[24..].fill(0xff);
        limb.add(&sum(low));
        limb.add(&sum(one));
        assert_eq!(hex_of(&limb), format!("{}1{}", "0".repeat(47), "0".repeat(16)));
    }

    /// Made with Python's hmac and integers, from the definition at the top of the file.
    #[test]
    fn fixed_vector() {
        let key = key(7);
        let mut total = key.element(b"sys/form", b"value");
        total.add(&key.element(b"a", b""));
        assert_eq!(hex_of(&total), "dbfe882a880e2fe0b050600f42b5513d786fd24a101f0d4f10bf9f53f886008b");
        assert_eq!(
            hex::encode(key.digest(3, &total)),
            "c66a1e2d8ebad9e8ccda0623324faf3d892bb64296f3190df591f7bba7313ad1"
        );
    }

    #[test]
    fn names_values_and_keys_tell_elements_apart() {
        let of = |key: &SetKey, name: &str, value: &str| hex_of(&key.element(name.as_bytes(), value.as_bytes()));
        let different = [
            of(&key(1), "ab", "c"),
            of(&key(1), "a", "bc"),
            of(&key(1), "", "abc"),
            of(&key(1), "abc", ""),
            of(&key(2), "ab", "c"),
        ];
        let set: std::collections::BTreeSet<_> = different.iter().collect();
        assert_eq!(set.len(), different.len());
        let sum = key(1).element(b"a", b"b");
        assert_ne!(key(1).digest(1, &sum), key(1).digest(2, &sum));
        assert_ne!(key(1).digest(1, &sum), *sum.to_bytes());
    }

    proptest! {
        /// The order of changes is of no matter, and what is removed leaves nothing behind.
        #[test]
        fn the_sum_is_of_what_is_there(
            values in prop::collection::btree_map(".{0,5}", prop::collection::vec(any::<u8>(), 0..20), 0..12),
            removed in prop::collection::vec(any::<bool>(), 12),
        ) {
            let key = key(3);
            let of = |name: &String, value: &Vec<u8>| key.element(name.as_bytes(), value);
            let mut followed = SetSum::default();
            for (name, value) in &values {
                followed.add(&of(name, value));
            }
            let mut left = SetSum::default();
            for ((name, value), is_removed) in values.iter().rev().zip(removed) {
                if is_removed { followed.subtract(&of(name, value)) } else { left.add(&of(name, value)) }
            }
            prop_assert!(followed.is(&left));
            followed.add(&of(&"one more".to_owned(), &vec![]));
            prop_assert!(!followed.is(&left));
        }

        #[test]
        fn bytes_go_there_and_back(bytes: [u8; 32]) {
            prop_assert_eq!(*sum(bytes).to_bytes(), bytes);
        }

        #[test]
        fn adding_is_undone_by_subtracting(a: [u8; 32], b: [u8; 32]) {
            let mut total = sum(a);
            total.add(&sum(b));
            total.subtract(&sum(b));
            prop_assert_eq!(*total.to_bytes(), a);
        }
    }
}

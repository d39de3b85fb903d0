//! The file `nonces`: the entries of a memory, as a stop leaves them.
//!
//! Eight bytes that name the form, then 20 bytes for each nonce: the number of its generation (4 bytes, big-endian) and
//! its keyed hash (16 bytes). Their number and SHA-256 over the file stand in the record of the store.

use std::io::{self, Read, Write};

use jomae_crypto::hash::{HashAlg, Hasher};

const FORM: &[u8; 8] = b"JMNONCE1";
const ENTRY_BYTES: usize = 20;
/// Entries that are read or written at a time.
const ENTRIES_PER_STEP: usize = 4096;

/// By what a file is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub entries: u64,
    pub sha256: [u8; 32],
}

/// Why the file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is in another form")]
    Form,
    #[error("it ends within an entry")]
    Cut,
    #[error("it has more entries than it should")]
    TooLong,
}

/// Reads a file entry by entry, at most so many. What was handed out counts only once the fingerprint is right.
pub fn read(from: &mut impl Read, entries_max: u64, mut each: impl FnMut(u32, u128)) -> Result<Fingerprint, ReadError> {
    let (mut hasher, mut entries) = (Hasher::new(HashAlg::Sha256), 0u64);
    let mut form = Vec::with_capacity(FORM.len());
    from.take(FORM.len() as u64).read_to_end(&mut form)?;
    if form != FORM {
        return Err(ReadError::Form);
    }
    hasher.update(&form);
    let mut step = Vec::with_capacity(ENTRIES_PER_STEP * ENTRY_BYTES);
    loop {
        step.clear();
        from.take((ENTRIES_PER_STEP * ENTRY_BYTES) as u64).read_to_end(&mut step)?;
        if step.is_empty() {
            return Ok(Fingerprint { entries, sha256: hasher.finish() });
        }
        hasher.update(&step);
        let (whole, rest) = step.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(ReadError::Cut);
        }
        entries += whole.len() as u64;
        if entries > entries_max {
            return Err(ReadError::TooLong);
        }
        for entry in whole {
            let (generation, hash) = parse(entry);
            each(generation, hash);
        }
    }
}

fn parse(entry: &[u8; ENTRY_BYTES]) -> (u32, u128) {
    let [g0, g1, g2, g3, hash @ ..] = *entry;
    (u32::from_be_bytes([g0, g1, g2, g3]), u128::from_be_bytes(hash))
}

/// Writes a file entry by entry.
pub struct Writer<W> {
    to: W,
    step: Vec<u8>,
    entries: u64,
    hasher: Hasher,
}

impl<W: Write> Writer<W> {
    pub fn new(to: W) -> Self {
        let mut step = Vec::with_capacity(ENTRIES_PER_STEP * ENTRY_BYTES);
        step.extend_from_slice(FORM);
        Self { to, step, entries: 0, hasher: Hasher::new(HashAlg::Sha256) }
    }

    pub fn entry(&mut self, generation: u32, hash: u128) -> io::Result<()> {
        if self.step.len() + ENTRY_BYTES > ENTRIES_PER_STEP * ENTRY_BYTES {
            self.write()?;
        }
        self.step.extend_from_slice(&generation.to_be_bytes());
        self.step.extend_from_slice(&hash.to_be_bytes());
        self.entries += 1;
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.hasher.update(&self.step);
        self.to.write_all(&self.step)?;
        self.step.clear();
        Ok(())
    }

    /// Everything is handed to the file; whether it is on disk is the caller's matter.
    pub fn finish(mut self) -> io::Result<Fingerprint> {
        self.write()?;
        Ok(Fingerprint { entries: self.entries, sha256: self.hasher.finish() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(entries: &[(u32, u128)]) -> (Vec<u8>, Fingerprint) {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        for (generation, hash) in entries {
            writer.entry(*generation, *hash).unwrap();
        }
        let fingerprint = writer.finish().unwrap();
        (bytes, fingerprint)
    }

    fn entries_of(bytes: &[u8], entries_max: u64) -> Result<(Vec<(u32, u128)>, Fingerprint), ReadError> {
        let mut entries = Vec::new();
        let fingerprint = read(&mut &*bytes, entries_max, |generation, hash| entries.push((generation, hash)))?;
        Ok((entries, fingerprint))
    }

    #[test]
    fn the_form_is_fixed() {
        let (bytes, fingerprint) = written(&[(7, 0x1_0000_0000_0000_0002)]);
        assert_eq!(hex::encode(&bytes), "4a4d4e4f4e434531000000070000000000000001".to_owned() + "0000000000000002");
        assert_eq!(fingerprint.sha256, jomae_crypto::hash::sha256(&[&bytes]));
    }

    #[test]
    fn many_entries_are_read_in_steps() {
        let entries: Vec<(u32, u128)> = (0..10_000).map(|n| (n, u128::from(n) << 70)).collect();
        let (bytes, fingerprint) = written(&entries);
        assert_eq!(bytes.len(), 8 + 20 * entries.len());
        assert_eq!(entries_of(&bytes, 10_000).unwrap(), (entries, fingerprint));
        assert!(matches!(entries_of(&bytes, 9_999), Err(ReadError::TooLong)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::vec((any::<u32>(), any::<u128>()), 0..50)) {
            let (bytes, fingerprint) = written(&entries);
            prop_assert_eq!(entries_of(&bytes, 50).unwrap(), (entries, fingerprint));
        }

        #[test]
        fn damage_is_an_error_or_another_fingerprint(
            entries in prop::collection::vec((any::<u32>(), any::<u128>()), 0..20),
            place in any::<prop::sample::Index>(),
            (flip, cut) in (1u8.., any::<bool>()),
        ) {
            let (mut bytes, fingerprint) = written(&entries);
            let place = place.index(bytes.len());
            if cut { bytes.truncate(place) } else { bytes[place] ^= flip }
            prop_assert!(entries_of(&bytes, 20).map_or(true, |(_, found)| found != fingerprint));
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200), named in any::<bool>()) {
            let bytes = if named { [&FORM[..], &bytes].concat() } else { bytes };
            if let Ok((entries, fingerprint)) = entries_of(&bytes, 5) {
                prop_assert!(entries.len() <= 5);
                prop_assert_eq!(written(&entries), (bytes, fingerprint));
            }
        }
    }
}

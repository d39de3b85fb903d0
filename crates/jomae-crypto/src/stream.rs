//! Streaming authenticated encryption: Google Tink's `AES256_GCM_HKDF_1MB`, exactly as published
//! (<https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming>).
//!
//! A stream is a header of [`STREAM_HEADER_BYTES`] (length byte 40, salt of 32 bytes, nonce prefix of 7 bytes) and then
//! segments. The segment key is HKDF-SHA256(data key, salt, info = associated data). Every segment is AES-256-GCM under
//! the nonce `prefix ‖ u32 big-endian segment index ‖ 1 if last else 0`, without further associated data. A segment
//! takes 1 MiB of ciphertext with its tag; the first is shorter by the header, the last may be shorter. An empty
//! plaintext is one segment that holds only its tag.
//!
//! Index and last flag stand in the nonce, so a stream that is cut, reordered, repeated or extended does not open.
//! Segments are independent: callers may seal and open them in any order and on any thread.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

use crate::rng;
use crate::secret::Key256;

/// Bytes of the stream's own header.
pub const STREAM_HEADER_BYTES: usize = 1 + SALT_BYTES + PREFIX_BYTES;
/// Bytes of the tag at the end of every segment.
pub const STREAM_TAG_BYTES: usize = 16;
/// Bytes of a full segment of ciphertext, tag included; for the first segment the stream header is counted in.
pub const STREAM_SEGMENT_BYTES: usize = 1024 * 1024;

const SALT_BYTES: usize = 32;
const PREFIX_BYTES: usize = 7;
#[expect(clippy::cast_possible_truncation, reason = "40 fits a byte")]
const HEADER_LENGTH_BYTE: u8 = STREAM_HEADER_BYTES as u8;

/// Bytes of a full ciphertext segment at `index`, tag included and stream header excluded.
pub const fn segment_bytes(index: u32) -> usize {
    if index == 0 { STREAM_SEGMENT_BYTES - STREAM_HEADER_BYTES } else { STREAM_SEGMENT_BYTES }
}

/// Bytes of plaintext in a full segment at `index`.
pub const fn segment_plain_bytes(index: u32) -> usize {
    segment_bytes(index) - STREAM_TAG_BYTES
}

/// A segment that does not verify, a segment of a length that cannot be, or a stream header of another form. No
/// detail on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamError;

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the encrypted stream does not verify")
    }
}

impl std::error::Error for StreamError {}

/// The key of one stream, derived from the data key, the stream's salt and the associated data.
pub struct StreamKey {
    key: LessSafeKey,
    nonce_prefix: [u8; PREFIX_BYTES],
}

impl StreamKey {
    /// Starts a new stream under `data_key`: the key, and the stream header to write first. Salt and nonce prefix are
    /// random, so every call gives another key and one data key may seal many streams.
    ///
    /// Each (index, last) pair may be sealed once per stream; sealing two plaintexts under one index breaks the cipher.
    pub fn seal(data_key: &Key256, associated_data: &[u8]) -> Result<(Self, [u8; STREAM_HEADER_BYTES]), StreamError> {
        let mut header = [0; STREAM_HEADER_BYTES];
        let (length, random) = header.split_at_mut(1);
        length.fill(HEADER_LENGTH_BYTE);
        rng::fill(random);
        let key = Self::open(data_key, associated_data, &header)?;
        Ok((key, header))
    }

    /// The key of the stream that begins with `header`. Fails if the header is not of this form; a wrong data key or
    /// wrong associated data shows only when a segment is opened.
    pub fn open(
        data_key: &Key256,
        associated_data: &[u8],
        header: &[u8; STREAM_HEADER_BYTES],
    ) -> Result<Self, StreamError> {
        let [length, random @ ..] = header;
        if *length != HEADER_LENGTH_BYTE {
            return Err(StreamError);
        }
        let (salt, prefix) = random.split_at(SALT_BYTES);
        let mut nonce_prefix = [0; PREFIX_BYTES];
        nonce_prefix.copy_from_slice(prefix);
        let info = [associated_data];
        let prk = Salt::new(HKDF_SHA256, salt).extract(data_key.expose());
        let okm = prk.expand(&info, &AES_256_GCM).map_err(|_| StreamError)?;
        Ok(Self { key: LessSafeKey::new(UnboundKey::from(okm)), nonce_prefix })
    }

    /// Seals a segment in place. `segment` is the plaintext followed by [`STREAM_TAG_BYTES`] bytes of any content,
    /// which receive the tag. Fails if it is shorter than a tag or longer than [`segment_bytes`].
    pub fn seal_segment(&self, index: u32, last: bool, segment: &mut [u8]) -> Result<(), StreamError> {
        let plain_bytes = check_bytes(index, segment)?;
        let (plain, tag_out) = segment.split_at_mut(plain_bytes);
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(index, last), Aad::empty(), plain)
            .map_err(|_| StreamError)?;
        tag_out.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens a segment (ciphertext and tag) in place and returns its plaintext, which is at the start of `segment`.
    /// On failure the content of `segment` is undefined and must not be used.
    pub fn open_segment<'a>(&self, index: u32, last: bool, segment: &'a mut [u8]) -> Result<&'a mut [u8], StreamError> {
        check_bytes(index, segment)?;
        self.key.open_in_place(self.nonce(index, last), Aad::empty(), segment).map_err(|_| StreamError)
    }

    fn nonce(&self, index: u32, last: bool) -> Nonce {
        let [p0, p1, p2, p3, p4, p5, p6] = self.nonce_prefix;
        let [i0, i1, i2, i3] = index.to_be_bytes();
        Nonce::assume_unique_for_key([p0, p1, p2, p3, p4, p5, p6, i0, i1, i2, i3, u8::from(last)])
    }
}

/// The plaintext bytes of a segment, if its length is allowed at `index`.
fn check_bytes(index: u32, segment: &[u8]) -> Result<usize, StreamError> {
    if segment.len() > segment_bytes(index) {
        return Err(StreamError);
    }
    segment.len().checked_sub(STREAM_TAG_BYTES).ok_or(StreamError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_key(byte: u8) -> Key256 {
        Key256::from_slice(&[byte; 32]).unwrap()
    }

    fn sealed(key: &StreamKey, index: u32, last: bool, plain: &[u8]) -> Vec<u8> {
        let mut segment = plain.to_vec();
        segment.extend([0xEE; STREAM_TAG_BYTES]);
        key.seal_segment(index, last, &mut segment).unwrap();
        segment
    }

    /// Made with the Python package `tink` 1.16.1: key 00..1f, associated data "jomae", plaintext "streaming".
    #[test]
    fn opens_a_stream_made_by_tink() {
        let data_key = Key256::from_slice(&(0..32).collect::<Vec<u8>>()).unwrap();
        let stream = hex::decode(TINK_STREAM).unwrap();
        let (header, segment) = stream.split_at(STREAM_HEADER_BYTES);
        let key = StreamKey::open(&data_key, b"jomae", header.try_into().unwrap()).unwrap();
        let mut segment = segment.to_vec();
        assert_eq!(key.open_segment(0, true, &mut segment).unwrap(), b"streaming");
    }

    const TINK_STREAM: &str = "2868704ca906b0610ca7c7bd21f4fe218cf01366f60ab72a117f57383d5c7560a42ff561d22e259e0526c9edf6dac2e96ef86bbce49d86e385cfbf839f259ab1bd";

    #[test]
    fn round_trip_and_sizes() {
        let (seal, header) = StreamKey::seal(&data_key(7), b"header").unwrap();
        assert_eq!(header[0], 40);
        let open = StreamKey::open(&data_key(7), b"header", &header).unwrap();
        for index in [0, 1, u32::MAX] {
            for bytes in [0, 1, 15, segment_plain_bytes(index)] {
                for last in [false, true] {
                    let plain = vec![0x5A; bytes];
                    let mut segment = sealed(&seal, index, last, &plain);
                    assert_eq!(segment.len(), bytes + STREAM_TAG_BYTES);
                    assert_eq!(open.open_segment(index, last, &mut segment).unwrap(), plain);
                }
            }
            let mut over = vec![0; segment_bytes(index) + 1];
            assert_eq!(seal.seal_segment(index, false, &mut over), Err(StreamError));
            assert!(open.open_segment(index, false, &mut over).is_err());
        }
        assert_eq!(seal.seal_segment(0, true, &mut [0; STREAM_TAG_BYTES - 1]), Err(StreamError));
    }

    #[test]
    fn refuses_everything_that_differs() {
        let (seal, header) = StreamKey::seal(&data_key(7), b"header").unwrap();
        let segment = sealed(&seal, 3, false, b"plain");
        let opens = |data_key: &Key256, ad: &[u8], header: &[u8; 40], index, last, segment: &[u8]| {
            StreamKey::open(data_key, ad, header)
                .is_ok_and(|key| key.open_segment(index, last, &mut segment.to_vec()).is_ok())
        };
        assert!(opens(&data_key(7), b"header", &header, 3, false, &segment));
        assert!(!opens(&data_key(8), b"header", &header, 3, false, &segment));
        assert!(!opens(&data_key(7), b"other", &header, 3, false, &segment));
        assert!(!opens(&data_key(7), b"header", &header, 2, false, &segment));
        assert!(!opens(&data_key(7), b"header", &header, 3, true, &segment));
        for i in 0..header.len() {
            let mut changed = header;
            changed[i] ^= 1;
            assert!(!opens(&data_key(7), b"header", &changed, 3, false, &segment), "header byte {i}");
        }
        for i in 0..segment.len() {
            let mut changed = segment.clone();
            changed[i] ^= 0x80;
            assert!(!opens(&data_key(7), b"header", &header, 3, false, &changed), "segment byte {i}");
            assert!(!opens(&data_key(7), b"header", &header, 3, false, &segment[..i]), "cut at {i}");
        }
    }

    #[test]
    fn every_stream_has_its_own_salt_and_prefix() {
        let (_, a) = StreamKey::seal(&data_key(7), b"").unwrap();
        let (_, b) = StreamKey::seal(&data_key(7), b"").unwrap();
        assert_ne!(a[1..33], b[1..33]);
        assert_ne!(a[33..], b[33..]);
    }
}

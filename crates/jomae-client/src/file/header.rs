use std::io::Read;

use jomae_api::limits::CIPHERTEXT_BYTES_MAX;
use jomae_api::param::EncryptionContext;
use serde::{Deserialize, Serialize};

use super::Error;

/// The first bytes of every file.
pub const MAGIC: &[u8; 9] = b"JOMAEFILE";
/// The format version that this program writes, and the only one it reads.
pub const VERSION: u8 = 1;
/// Largest header body, in bytes.
pub const HEADER_BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest region or key id, in bytes.
const NAME_BYTES_MAX: usize = 256;
const PREFACE_BYTES: usize = MAGIC.len() + 1 + 4;

/// What a file says about itself: how to get its data key back.
///
/// Nothing here is secret. It is authenticated together with the data, so it can be believed only once the data has
/// been decrypted: before that, use `region` to choose among endpoints you already trust, never to build one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Region of the key service that holds the key.
    pub region: String,
    /// Id of the key that the data key is encrypted under.
    pub key_id: String,
    /// The encrypted data key: the bytes of the service's `CiphertextBlob`.
    #[serde(with = "base64_text")]
    pub encrypted_key: Vec<u8>,
    /// Names of the `EncryptionContext` entries, sorted. The values are not stored: whoever decrypts supplies them.
    pub context_keys: Vec<String>,
}

impl Header {
    /// The whole header, magic to end. Fails with [`Error::Header`] if a value does not fit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.check()?;
        let body = serde_json::to_vec(self).map_err(|_| Error::Header("it cannot be written"))?;
        let body_bytes = u32::try_from(body.len()).ok().filter(|_| body.len() <= HEADER_BODY_BYTES_MAX);
        let body_bytes = body_bytes.ok_or(Error::Header("it is longer than 64 KiB"))?;
        let mut bytes = Vec::with_capacity(PREFACE_BYTES + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&body_bytes.to_be_bytes());
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    /// Reads a header and nothing after it; also returns its bytes, which are the associated data of the stream.
    pub fn read(reader: &mut dyn Read) -> Result<(Self, Vec<u8>), Error> {
        let mut bytes = Vec::new();
        read_up_to(reader, PREFACE_BYTES, &mut bytes)?;
        let rest = bytes.strip_prefix(MAGIC).ok_or(Error::NotOurFile)?;
        let (version, length) = rest.split_first().ok_or(Error::Truncated)?;
        match *version {
            VERSION => {}
            0 => return Err(Error::Header("there is no format version 0")),
            newer => return Err(Error::NewerVersion(newer)),
        }
        let length: [u8; 4] = length.try_into().map_err(|_| Error::Truncated)?;
        let body_bytes = u32::from_be_bytes(length) as usize;
        if body_bytes > HEADER_BODY_BYTES_MAX {
            return Err(Error::Header("it is longer than 64 KiB"));
        }
        read_up_to(reader, body_bytes, &mut bytes)?;
        let body = bytes.get(PREFACE_BYTES..).unwrap_or_default();
        if body.len() < body_bytes {
            return Err(Error::Truncated);
        }
        let header: Self = serde_json::from_slice(body).map_err(|_| Error::Header("its body is not of the form"))?;
        header.check()?;
        Ok((header, bytes))
    }

    /// Fails with [`Error::Context`] unless `context` has exactly the keys that the header lists.
    pub fn check_context(&self, context: &EncryptionContext) -> Result<(), Error> {
        let given = context.pairs();
        let missing: Vec<_> = self.context_keys.iter().filter(|key| !given.contains_key(*key)).cloned().collect();
        let unexpected: Vec<_> = given.keys().filter(|key| !self.context_keys.contains(*key)).cloned().collect();
        if missing.is_empty() && unexpected.is_empty() { Ok(()) } else { Err(Error::Context { missing, unexpected }) }
    }

    fn check(&self) -> Result<(), Error> {
        let name_fits = |name: &str| {
            !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !name_fits(&self.region) {
            return Err(Error::Header("the region is not 1 to 256 printable ASCII characters"));
        }
        if !name_fits(&self.key_id) {
            return Err(Error::Header("the key id is not 1 to 256 printable ASCII characters"));
        }
        if self.encrypted_key.is_empty() || self.encrypted_key.len() > CIPHERTEXT_BYTES_MAX {
            return Err(Error::Header("the encrypted data key is empty or too long"));
        }
        if !self.context_keys.is_sorted_by(|a, b| a < b) {
            return Err(Error::Header("the EncryptionContext keys are not sorted and unique"));
        }
        Ok(())
    }
}

/// Appends up to `bytes_wanted` bytes: fewer only where the input ends.
fn read_up_to(reader: &mut dyn Read, bytes_wanted: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
    reader.take(bytes_wanted as u64).read_to_end(bytes).map(drop).map_err(Error::Read)
}

mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::Deserialize as _;

    pub fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            region: "cn-hangzhou".into(),
            key_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73".into(),
            encrypted_key: vec![1, 2, 3],
            context_keys: vec!["app".into(), "環境".into()],
        }
    }

    fn file_with_body(body: &str) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body.as_bytes());
        bytes
    }

    fn read(mut bytes: &[u8]) -> Result<(Header, Vec<u8>), Error> {
        Header::read(&mut bytes)
    }

    #[test]
    fn the_layout_is_as_documented() {
        let bytes = header().to_bytes().unwrap();
        let body = r#"{"region":"cn-hangzhou","key_id":"08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73","encrypted_key":"AQID","context_keys":["app","環境"]}"#;
        assert_eq!(bytes, file_with_body(body));
        assert_eq!(&bytes[..14], b"JOMAEFILE\x01\x00\x00\x00\x7f");
    }

    #[test]
    fn reads_back_and_stops_at_its_end() {
        let bytes = header().to_bytes().unwrap();
        let mut input: &[u8] = &[&bytes[..], b"stream"].concat();
        let (read, read_bytes) = Header::read(&mut input).unwrap();
        assert_eq!((read, read_bytes, input), (header(), bytes, &b"stream"[..]));
    }

    #[test]
    fn other_inputs_are_named_for_what_they_are() {
        assert!(matches!(read(b""), Err(Error::NotOurFile)));
        assert!(matches!(read(b"JOMAEFIL"), Err(Error::NotOurFile)));
        assert!(matches!(read(b"PK\x03\x04 and a long rest of the file"), Err(Error::NotOurFile)));
        let mut bytes = header().to_bytes().unwrap();
        for cut in MAGIC.len()..bytes.len() {
            assert!(matches!(read(&bytes[..cut]), Err(Error::Truncated)), "cut at {cut}");
        }
        bytes[9] = 2;
        assert!(matches!(read(&bytes), Err(Error::NewerVersion(2))));
        bytes[9] = 0;
        assert!(matches!(read(&bytes), Err(Error::Header(_))));
    }

    #[test]
    fn the_length_is_refused_before_the_body_is_read() {
        struct NoMore;
        impl Read for NoMore {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("read past the preface")
            }
        }
        let preface = b"JOMAEFILE\x01\x00\x01\x00\x01";
        assert!(matches!(Header::read(&mut preface.chain(NoMore)), Err(Error::Header(_))));
    }

    #[test]
    fn bodies_of_another_form_are_refused() {
        let good = r#"{"region":"r","key_id":"k","encrypted_key":"AQID","context_keys":[]}"#;
        assert!(read(&file_with_body(good)).is_ok());
        for (from, to) in [
            (r#""region":"r""#, r#""region":"""#),
            (r#""region":"r""#, r#""region":"r","region":"r""#),
            (r#""region":"r","#, ""),
            (r#""key_id":"k""#, r#""key_id":"\u001b[2J""#),
            (r#""key_id":"k""#, r#""key_id":"k","more":1"#),
            ("AQID", ""),
            ("AQID", "AQI"),
            ("[]", r#"["b","a"]"#),
            ("[]", r#"["a","a"]"#),
            ("[]", "null"),
            ("[]}", "[]} x"),
        ] {
            let body = good.replace(from, to);
            assert_ne!(body, good);
            assert!(matches!(read(&file_with_body(&body)), Err(Error::Header(_))), "{body}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_not_written() {
        let oversize = Header { encrypted_key: vec![0; CIPHERTEXT_BYTES_MAX + 1], ..header() };
        assert!(matches!(oversize.to_bytes(), Err(Error::Header(_))));
        let oversize = Header { context_keys: vec!["k".repeat(HEADER_BODY_BYTES_MAX)], ..header() };
        assert!(matches!(oversize.to_bytes(), Err(Error::Header(_))));
    }

    #[test]
    fn context_keys_must_be_the_same_set() {
        let context = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "v".to_owned())).collect();
        assert!(header().check_context(&context(&["環境", "app"])).is_ok());
        let error = header().check_context(&context(&["app", "user\n"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"the EncryptionContext does not fit: the file also needs ["環境"] and was encrypted without ["user\n"]"#
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn any_body_is_an_answer_and_never_a_panic(body in prop::collection::vec(any::<u8>(), 0..300), claim: u32) {
            for claim in [claim, claim % 400, u32::try_from(body.len()).unwrap()] {
                let bytes = [&MAGIC[..], &[VERSION], &claim.to_be_bytes(), &body].concat();
                let _ = read(&bytes);
            }
        }

        #[test]
        fn a_changed_byte_never_reads_back_as_the_same(at in 0..146_usize, bit in 0..8_u8) {
            let mut bytes = header().to_bytes().unwrap();
            let original = bytes.clone();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok((_, read_bytes)) = read(&bytes) {
                prop_assert_ne!(read_bytes, original);
            }
        }

        #[test]
        fn every_header_round_trips(
            region in "[!-~]{1,256}",
            key_id in "[!-~]{1,256}",
            encrypted_key in prop::collection::vec(any::<u8>(), 1..2000),
            context_keys in prop::collection::btree_set(any::<String>(), 0..10),
        ) {
            let header = Header { region, key_id, encrypted_key, context_keys: context_keys.into_iter().collect() };
            let bytes = header.to_bytes().unwrap();
            prop_assert_eq!(read(&bytes).unwrap(), (header, bytes));
        }
    }
}

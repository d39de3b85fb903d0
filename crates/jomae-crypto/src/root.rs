//! The root key, from a key file or from a passphrase. Bytes only: no file is read or written here.
//!
//! # Key file
//!
//! ASCII text of three lines, each ended by LF:
//!
//! 1. `jomae root key v1`
//! 2. the 32 bytes of the root key in Base64 (RFC 4648 section 4, padded; 44 characters)
//! 3. a check value against typing errors, in lower-case hex (16 characters): the first 8 bytes of
//!    SHA-256(`jomae root key v1` ‖ the 32 bytes)
//!
//! A file that was typed from paper is read too: with CR LF or no last line end, a byte order mark, blank lines, blanks
//! and tabs at the ends of lines and between groups of characters, and capital letters in the first and third line. The
//! check value finds what was typed wrong.
//!
//! # Passphrase
//!
//! The root key is Argon2id (RFC 9106, version 19) of the passphrase bytes as they are, without secret or associated
//! data, 32 bytes long. Parameters and salt are one line of ASCII text that is no secret:
//!
//! ```text
//! argon2id$v=19$m=65536,t=3,p=1$<salt>
//! ```
//!
//! `m` is the memory in KiB, `t` the number of passes, `p` the number of lanes, all decimal; the salt has 16 to 64
//! bytes, in Base64 without padding. Limits: m ≤ 4194304 (4 GiB), t ≤ 64, p ≤ 64, m ≥ 8 p.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use crate::hash::sha256;
use crate::purpose::Purpose;
use crate::rng;
use crate::secret::{Key256, SecretBytes, assert_not_impl};

const FILE_LABEL: &str = Purpose::RootKeyFile.label();
const KEY_BASE64_BYTES: usize = 44;
const CHECK_BYTES: usize = 16;

/// The longest key file that is looked at, in bytes. One as it is written has 80; one that was typed has blanks.
pub const KEY_FILE_BYTES_MAX: usize = 1024;
/// The longest parameter line that is looked at, in bytes.
pub const PARAMS_LINE_BYTES_MAX: usize = 160;
/// The longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 4096;

const MEMORY_KIB_MAX: u32 = 4 * 1024 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 64;
const SALT_BYTES_MIN: usize = 16;
const SALT_BYTES_MAX: usize = 64;
const SALT_BYTES_NEW: usize = 16;

/// The root key: 32 bytes that wrap the domain keys, erased on drop.
pub struct RootMaterial(Key256);

assert_not_impl!(RootMaterial: fmt::Debug, fmt::Display, Clone, PartialEq, serde::Serialize);

impl RootMaterial {
    /// A new random root key.
    pub fn random() -> Self {
        Self(Key256::random())
    }

    /// The key, for [`crate::wrap`].
    pub fn key(&self) -> &Key256 {
        &self.0
    }

    /// By what people and backups tell this root key from others: 16 characters of lower-case hex, which reveal nothing of it.
    pub fn id(&self) -> String {
        let digest = sha256(&[Purpose::RootKeyId.label().as_bytes(), self.0.expose()]);
        format!("{:016x}", u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default()))
    }

    /// The bytes of a key file, 80 of them.
    pub fn to_key_file(&self) -> SecretBytes {
        let key = self.0.expose();
        // Made in place at full size, so that no outgrown buffer keeps a copy of the key.
        let mut file = Vec::with_capacity(FILE_LABEL.len() + KEY_BASE64_BYTES + CHECK_BYTES + 3);
        file.extend_from_slice(FILE_LABEL.as_bytes());
        file.push(b'\n');
        let mut base64 = Zeroizing::new([0; KEY_BASE64_BYTES]);
        let encoded = STANDARD.encode_slice(key, base64.as_mut_slice());
        debug_assert_eq!(encoded, Ok(KEY_BASE64_BYTES));
        file.extend_from_slice(base64.as_slice());
        file.push(b'\n');
        file.extend_from_slice(check_value(key).as_bytes());
        file.push(b'\n');
        SecretBytes::new(file)
    }

    /// Reads a key file, as it was written or as it was typed.
    pub fn from_key_file(file: &[u8]) -> Result<Self, KeyFileError> {
        if file.len() > KEY_FILE_BYTES_MAX {
            return Err(KeyFileError::TooLong);
        }
        let text = std::str::from_utf8(file).map_err(|_| KeyFileError::NotAKeyFile)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim_ascii().is_empty());
        match lines.next() {
            Some((label, _)) if is_label(label) => {}
            _ => return Err(KeyFileError::NotAKeyFile),
        }
        let (Some((base64, at)), Some((check, check_at)), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(KeyFileError::Lines);
        };
        let base64 =
            without_blanks::<KEY_BASE64_BYTES>(base64).map_err(|found| KeyFileError::KeyLength { line: at, found })?;
        // One byte more than the key: what the decoder asks for at least for 44 characters.
        let mut key = Zeroizing::new([0; 33]);
        if STANDARD.decode_slice(base64.as_slice(), key.as_mut_slice()) != Ok(32) {
            return Err(KeyFileError::Base64 { line: at });
        }
        let (key, _) = key.split_at(32);
        let check = without_blanks::<CHECK_BYTES>(check)
            .map_err(|found| KeyFileError::CheckLength { line: check_at, found })?;
        if !check.iter().all(u8::is_ascii_hexdigit) {
            return Err(KeyFileError::Hex { line: check_at });
        }
        if !check_value(key).as_bytes().eq_ignore_ascii_case(check.as_slice()) {
            return Err(KeyFileError::Check);
        }
        Key256::from_slice(key).map(Self).ok_or(KeyFileError::Base64 { line: at })
    }

    /// Derives the root key from a passphrase of 1 to 4096 bytes. Takes the time and memory that `params` name, a few
    /// hundred milliseconds and 64 MiB by default.
    ///
    /// A wrong passphrase gives another root key; it shows when that key opens nothing.
    pub fn from_passphrase(passphrase: &[u8], params: &PassphraseParams) -> Result<Self, PassphraseError> {
        if passphrase.is_empty() {
            return Err(PassphraseError::Empty);
        }
        if passphrase.len() > PASSPHRASE_BYTES_MAX {
            return Err(PassphraseError::TooLong);
        }
        let mut key = Zeroizing::new([0; 32]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.cost.clone());
        argon2
            .hash_password_into(passphrase, &params.salt, key.as_mut_slice())
            .map_err(|_| PassphraseError::OutOfMemory)?;
        Key256::from_slice(key.as_slice()).map(Self).ok_or(PassphraseError::OutOfMemory)
    }
}

impl From<Key256> for RootMaterial {
    fn from(key: Key256) -> Self {
        Self(key)
    }
}

/// Lower-case hex of the first 8 bytes of SHA-256(label ‖ key). 64 bits of a hash tell nothing of use about a random
/// key of 256 bits.
fn check_value(key: &[u8]) -> String {
    let digest = sha256(&[FILE_LABEL.as_bytes(), key]);
    let first = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

/// Whether a line is the first of a key file, however it is spaced.
fn is_label(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    FILE_LABEL.split(' ').all(|word| words.next().is_some_and(|typed| typed.eq_ignore_ascii_case(word)))
        && words.next().is_none()
}

/// The characters of a line but blanks and tabs, of which there must be `N`; or how many there are.
fn without_blanks<const N: usize>(line: &str) -> Result<Zeroizing<[u8; N]>, usize> {
    let mut kept = Zeroizing::new([0; N]);
    let mut count = 0;
    for byte in line.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        if let Some(place) = kept.get_mut(count) {
            *place = byte;
        }
        count += 1;
    }
    if count == N { Ok(kept) } else { Err(count) }
}

/// What is wrong with a key file. It never holds content of the file. Lines count from 1, blank ones too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileError {
    /// More than [`KEY_FILE_BYTES_MAX`] bytes.
    TooLong,
    /// Not text, or another first line.
    NotAKeyFile,
    /// Not three lines, beside blank ones.
    Lines,
    /// The line of the key has another number of characters than 44.
    KeyLength {
        /// From 1.
        line: usize,
        /// In characters.
        found: usize,
    },
    /// The line of the key is not Base64 of 32 bytes.
    Base64 {
        /// From 1.
        line: usize,
    },
    /// The line of the check value has another number of characters than 16.
    CheckLength {
        /// From 1.
        line: usize,
        /// In characters.
        found: usize,
    },
    /// The line of the check value is not hex.
    Hex {
        /// From 1.
        line: usize,
    },
    /// The check value is not that of the key.
    Check,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("longer than 1024 bytes, which no root key file is"),
            Self::NotAKeyFile => f.write_str("it does not begin with the line \"jomae root key v1\""),
            Self::Lines => {
                f.write_str("it does not have exactly three lines, beside blank ones: label, key, check value")
            }
            Self::KeyLength { line, found } => {
                write!(f, "line {line}, the key, has {found} characters without blanks, and must have 44")
            }
            Self::Base64 { line } => write!(
                f,
                "line {line}, the key, is not Base64 of 32 bytes: letters, digits, + and /, and one = at the end"
            ),
            Self::CheckLength { line, found } => {
                write!(f, "line {line}, the check value, has {found} characters without blanks, and must have 16")
            }
            Self::Hex { line } => {
                write!(f, "line {line}, the check value, has a character other than 0 to 9 and a to f")
            }
            Self::Check => f.write_str(
                "key and check value do not belong together: a character of one of them is wrong; capital and small \
                 letters of the key differ",
            ),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// Cost parameters and salt of a passphrase. No secret: stored beside the data as one line of text.
#[derive(Clone, Debug)]
pub struct PassphraseParams {
    cost: Params,
    salt: Vec<u8>,
}

impl PassphraseParams {
    /// 64 MiB, 3 passes, 1 lane and a new random salt of 16 bytes: the memory and passes of the second recommended
    /// option of RFC 9106 section 4. One lane, since the lanes would run one after the other here.
    pub fn random() -> Self {
        let salt = rng::array::<SALT_BYTES_NEW>().to_vec();
        Self::new(64 * 1024, 3, 1, salt)
            .unwrap_or_else(|_| unreachable!("64 MiB, 3 passes and 1 lane are within limits"))
    }

    /// Parameters within the limits of the module: memory in KiB, number of passes, number of lanes, salt.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32, salt: Vec<u8>) -> Result<Self, PassphraseParamsError> {
        if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
            return Err(PassphraseParamsError::Cost);
        }
        if !(SALT_BYTES_MIN..=SALT_BYTES_MAX).contains(&salt.len()) {
            return Err(PassphraseParamsError::Salt);
        }
        let cost = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| PassphraseParamsError::Cost)?;
        Ok(Self { cost, salt })
    }

    /// Reads the line that [`PassphraseParams::to_line`] made, with or without white space around it.
    pub fn from_line(line: &str) -> Result<Self, PassphraseParamsError> {
        use PassphraseParamsError::Malformed;
        if line.len() > PARAMS_LINE_BYTES_MAX {
            return Err(Malformed);
        }
        let rest = line.trim_ascii().strip_prefix("argon2id$v=19$").ok_or(Malformed)?;
        let (cost, salt) = rest.split_once('$').ok_or(Malformed)?;
        let mut fields = cost.split(',');
        let mut field = |name: &str| {
            let digits = fields.next()?.strip_prefix(name)?;
            // u32::from_str would also take a leading '+'.
            if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
        };
        let (Some(memory_kib), Some(passes), Some(lanes)) = (field("m="), field("t="), field("p=")) else {
            return Err(Malformed);
        };
        if fields.next().is_some() {
            return Err(Malformed);
        }
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| Malformed)?;
        Self::new(memory_kib, passes, lanes, salt)
    }

    /// The parameters as one line of text, without a line end.
    pub fn to_line(&self) -> String {
        let (m, t, p) = (self.cost.m_cost(), self.cost.t_cost(), self.cost.p_cost());
        format!("argon2id$v=19$m={m},t={t},p={p}${}", STANDARD_NO_PAD.encode(&self.salt))
    }
}

/// What is wrong with the parameters of a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassphraseParamsError {
    /// The line does not have the form of the module.
    Malformed,
    /// Memory, passes or lanes are outside the limits.
    Cost,
    /// The salt does not have 16 to 64 bytes.
    Salt,
}

impl fmt::Display for PassphraseParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => {
                "the passphrase parameters do not have the form argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>"
            }
            Self::Cost => {
                "the passphrase parameters are outside the limits: m from 8 per lane to 4194304, t and p from 1 to 64"
            }
            Self::Salt => "the salt of the passphrase parameters does not have 16 to 64 bytes",
        })
    }
}

impl std::error::Error for PassphraseParamsError {}

/// Why no root key was derived from a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassphraseError {
    /// The passphrase has no bytes.
    Empty,
    /// The passphrase is longer than [`PASSPHRASE_BYTES_MAX`].
    TooLong,
    /// The memory that the parameters name is not to be had.
    OutOfMemory,
}

impl fmt::Display for PassphraseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the passphrase is empty",
            Self::TooLong => "the passphrase is longer than 4096 bytes",
            Self::OutOfMemory => "there is not enough memory to derive the root key from the passphrase",
        })
    }
}

impl std::error::Error for PassphraseError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::section;
    use proptest::prelude::*;

    fn root(byte: u8) -> RootMaterial {
        RootMaterial(Key256::from_slice(&[byte; 32]).unwrap())
    }

    fn error_of(file: &[u8]) -> KeyFileError {
        RootMaterial::from_key_file(file).err().unwrap()
    }

    #[test]
    fn key_file_vectors() {
        for v in section("key_file") {
            let read = RootMaterial::from_key_file(v.text("text").as_bytes()).unwrap();
            assert_eq!(read.key().expose()[..], v.bytes("key"));
            assert_eq!(read.to_key_file().expose(), v.text("text").as_bytes());
        }
    }

    #[test]
    fn passphrase_vectors() {
        for v in section("passphrase") {
            let params = PassphraseParams::from_line(v.text("line")).unwrap();
            assert_eq!(params.to_line(), v.text("line"));
            let root = RootMaterial::from_passphrase(v.text("passphrase").as_bytes(), &params).unwrap();
            assert_eq!(root.key().expose()[..], v.bytes("key"));
        }
    }

    #[test]
    fn argon2id_gives_the_example_of_rfc_9106() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .build()
            .unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        assert_eq!(hex::encode(tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    #[test]
    fn a_new_root_key_is_read_back() {
        let new = RootMaterial::random();
        let file = new.to_key_file();
        assert_eq!(file.len(), 80);
        assert_eq!(RootMaterial::from_key_file(file.expose()).unwrap().key().expose(), new.key().expose());
    }

    #[test]
    fn a_key_file_that_was_typed_is_read() {
        let file = String::from_utf8(root(7).to_key_file().expose().to_vec()).unwrap();
        let lines: Vec<&str> = file.lines().collect();
        let grouped = |line: &str, every: usize| {
            let groups: Vec<&str> =
                line.as_bytes().chunks(every).map(|group| std::str::from_utf8(group).unwrap()).collect();
            groups.join(" ")
        };
        for variant in [
            file.replace('\n', "\r\n"),
            file.trim_end().to_owned(),
            format!("\u{feff}{file}"),
            file.replace('\n', "\n\n"),
            format!("\n \t\n{file}\n\n"),
            file.replace('\n', "  \n\t"),
            format!("{}\n{}\n{}\n", lines[0], lines[1], lines[2].to_uppercase()),
            format!("Jomae  Root Key V1\n{}\n{}", grouped(lines[1], 4), grouped(lines[2], 5)),
            format!("\u{feff}\r\n{}\r\n\r\n {}\t\r\n{} \r\n", lines[0], grouped(lines[1], 1), grouped(lines[2], 1)),
        ] {
            let read = RootMaterial::from_key_file(variant.as_bytes());
            assert_eq!(read.map(|root| *root.key().expose()), Ok([7; 32]), "{variant:?}");
        }
    }

    #[test]
    fn no_change_of_a_character_makes_another_key() {
        let file = root(7).to_key_file();
        let mut refused = 0;
        for at in 0..file.len() {
            for byte in 0..=255 {
                let mut damaged = file.expose().to_vec();
                damaged[at] = byte;
                match RootMaterial::from_key_file(&damaged) {
                    Ok(read) => assert_eq!(read.key().expose(), &[7; 32], "{at} {byte}"),
                    Err(_) => refused += 1,
                }
            }
        }
        // What is read in spite of a change: capitals in label and check value, and the blanks between words.
        assert!(refused > 80 * 256 - 250, "{refused}");
    }

    #[test]
    fn errors_say_what_is_wrong_and_where_and_nothing_of_the_key() {
        let file = String::from_utf8(root(7).to_key_file().expose().to_vec()).unwrap();
        let lines: Vec<&str> = file.lines().collect();
        let with = |key: &str, check: &str| format!("{}\n\n{key}\n{check}\n", lines[0]);
        let cases = [
            ("a".repeat(1025), KeyFileError::TooLong),
            (String::new(), KeyFileError::NotAKeyFile),
            (file.replace("v1", "v2"), KeyFileError::NotAKeyFile),
            (file.replace("key v1", "key v1 v1"), KeyFileError::NotAKeyFile),
            (file.replace("key v1", "key"), KeyFileError::NotAKeyFile),
            (lines[..2].join("\n"), KeyFileError::Lines),
            (format!("{file}x\n"), KeyFileError::Lines),
            (with(&lines[1].replace('=', ""), lines[2]), KeyFileError::KeyLength { line: 3, found: 43 }),
            (with(&format!("{}7", lines[1]), lines[2]), KeyFileError::KeyLength { line: 3, found: 45 }),
            (with(&lines[1].replacen('B', "-", 1), lines[2]), KeyFileError::Base64 { line: 3 }),
            (with(&lines[1].replace('=', "A"), lines[2]), KeyFileError::Base64 { line: 3 }),
            (with(lines[1], &lines[2][1..]), KeyFileError::CheckLength { line: 4, found: 15 }),
            (with(lines[1], &format!("g{}", &lines[2][1..])), KeyFileError::Hex { line: 4 }),
            (with(&lines[1].replacen("BwcH", "BwcI", 1), lines[2]), KeyFileError::Check),
            (with(&lines[1].replacen("BwcH", "bwcH", 1), lines[2]), KeyFileError::Check),
            (with(lines[1], "0000000000000000"), KeyFileError::Check),
        ];
        for (file, expected) in cases {
            let error = error_of(file.as_bytes());
            assert_eq!(error, expected, "{file:?}");
            assert!(!error.to_string().contains("Bwc") && !error.to_string().contains(&lines[2][..4]), "{error}");
        }
        assert_eq!(error_of(&[0xff; 80]), KeyFileError::NotAKeyFile);
    }

    #[test]
    fn default_params_are_64_mib_3_passes_1_lane_and_a_new_salt() {
        let (a, b) = (PassphraseParams::random().to_line(), PassphraseParams::random().to_line());
        assert!(a.starts_with("argon2id$v=19$m=65536,t=3,p=1$"), "{a}");
        assert_ne!(a, b);
        assert_eq!(PassphraseParams::from_line(&format!(" {a}\n")).unwrap().to_line(), a);
    }

    #[test]
    fn params_outside_the_limits_are_refused() {
        use PassphraseParamsError::{Cost, Malformed, Salt};
        let line = |cost: &str, salt: &str| PassphraseParams::from_line(&format!("argon2id$v=19${cost}${salt}")).err();
        let salt = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(line("m=4194304,t=64,p=64", salt), None);
        assert_eq!(line("m=4194305,t=64,p=64", salt), Some(Cost));
        assert_eq!(line("m=4194304,t=65,p=64", salt), Some(Cost));
        assert_eq!(line("m=4194304,t=64,p=65", salt), Some(Cost));
        assert_eq!(line("m=4294967296,t=1,p=1", salt), Some(Malformed));
        assert_eq!(line("m=8,t=0,p=1", salt), Some(Cost));
        assert_eq!(line("m=8,t=1,p=0", salt), Some(Cost));
        assert_eq!(line("m=15,t=1,p=2", salt), Some(Cost));
        assert_eq!(line("m=8,t=1,p=1", ""), Some(Salt));
        assert_eq!(line("m=8,t=1,p=1", "AAAAAAAAAAAAAAAAAAAA"), Some(Salt));
        assert_eq!(line("m=8,t=1,p=1", &"A".repeat(87)), Some(Salt));
        for cost in ["", "m=8,t=1", "m=8,t=1,p=1,", "m=8,t=1,p=1,x=1", "t=1,m=8,p=1", "m=+8,t=1,p=1", "m=,t=1,p=1"] {
            assert_eq!(line(cost, salt), Some(Malformed), "{cost}");
        }
        assert_eq!(line("m=8,t=1,p=1", "AAAAAAAAAAAAAAAAAAAAAA=="), Some(Malformed));
        let other_version = format!("argon2id$v=16$m=8,t=1,p=1${salt}");
        assert_eq!(PassphraseParams::from_line(&other_version).err(), Some(Malformed));
        assert_eq!(PassphraseParams::from_line(&" ".repeat(PARAMS_LINE_BYTES_MAX + 1)).err(), Some(Malformed));
    }

    #[test]
    fn passphrases_have_1_to_4096_bytes() {
        let params = PassphraseParams::new(8, 1, 1, vec![0; 16]).unwrap();
        let derive = |len: usize| RootMaterial::from_passphrase(&vec![b'a'; len], &params).err();
        assert_eq!(derive(0), Some(PassphraseError::Empty));
        assert_eq!(derive(1), None);
        assert_eq!(derive(4096), None);
        assert_eq!(derive(4097), Some(PassphraseError::TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(file: Vec<u8>, lines in "(jomae root key v1\n)?[A-Za-z0-9+/=\n]{0,70}") {
            prop_assert!(RootMaterial::from_key_file(&file).is_err());
            prop_assert!(RootMaterial::from_key_file(lines.as_bytes()).is_err());
        }

        #[test]
        fn no_line_panics(any: String, like in "argon2id\\$v=19\\$[mtp=,0-9]{0,20}\\$[A-Za-z0-9]{0,60}") {
            prop_assert!(PassphraseParams::from_line(&any).is_err());
            if let Ok(params) = PassphraseParams::from_line(&like) {
                prop_assert!(PassphraseParams::from_line(&params.to_line()).is_ok());
            }
        }
    }
}

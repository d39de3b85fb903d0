//! The search for secrets where none may be: every form in which bytes are likely to be written.

use std::{fs, path::Path};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use memchr::memmem::Finder;

/// Secrets, each with a name that may be shown.
#[derive(Default)]
pub struct Secrets {
    forms: Vec<Form>,
}

struct Form {
    label: String,
    finder: Finder<'static>,
}

impl Secrets {
    /// Adds a secret of at least 12 bytes.
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        assert!(secret.len() >= 12, "{name} is too short to be told from chance");
        for (form, bytes) in forms(secret) {
            self.forms.push(Form { label: format!("{name} ({form})"), finder: Finder::new(&bytes).into_owned() });
        }
    }

    /// The secrets and forms that occur in `bytes`.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        self.forms.iter().filter(|form| form.finder.find(bytes).is_some()).map(|form| form.label.as_str()).collect()
    }

    /// What occurs in the files below `dir`, as `path: secret (form)`; also how many bytes were searched.
    pub fn found_below(&self, dir: &Path, allowed: impl Fn(&str, &str) -> bool) -> (Vec<String>, usize) {
        let mut found = Vec::new();
        let mut bytes = 0;
        for (path, node) in crate::tree::read(dir) {
            let Some(content) = node.content else { continue };
            bytes += content.len();
            // A name is stored too.
            for label in self.found_in(&content).into_iter().chain(self.found_in(path.as_bytes())) {
                if !allowed(&path, label) {
                    found.push(format!("{path}: {label}"));
                }
            }
        }
        (found, bytes)
    }
}

/// The forms of a secret, by name.
fn forms(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![("raw".to_owned(), secret.to_vec())];
    let mut add = |name: &str, bytes: Vec<u8>| forms.push((name.to_owned(), bytes));
    add("hex", spaced(secret, "", |byte| format!("{byte:02x}")));
    add("upper-case hex", spaced(secret, "", |byte| format!("{byte:02X}")));
    add("spaced hex", spaced(secret, " ", |byte| format!("{byte:02x}")));
    add("percent-encoded", percent(secret));
    add("all percent-encoded", spaced(secret, "", |byte| format!("%{byte:02X}")));
    add("decimal", spaced(secret, ", ", u8::to_string));
    add("escaped", secret.escape_ascii().to_string().into_bytes());
    for (name, unit) in [("UTF-16LE", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("UTF-16BE", u16::to_be_bytes)] {
        if let Ok(text) = std::str::from_utf8(secret) {
            add(name, text.encode_utf16().flat_map(unit).collect());
        }
    }
    // Within a longer text the groups of three bytes may begin before the secret: take the letters that depend on the
    // secret alone.
    for lead in 0..3 {
        let padded = [&b"\0\0"[..lead], secret].concat();
        for (name, text) in
            [("Base64", STANDARD_NO_PAD.encode(&padded)), ("Base64url", URL_SAFE_NO_PAD.encode(&padded))]
        {
            let from = (lead * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            let letters = text.as_bytes()[from..to].to_vec();
            add(&format!("percent-encoded {name} +{lead}"), percent(&letters));
            add(&format!("{name} +{lead}"), letters);
        }
    }
    forms
}

fn spaced(bytes: &[u8], between: &str, form: impl Fn(&u8) -> String) -> Vec<u8> {
    bytes.iter().map(form).collect::<Vec<_>>().join(between).into_bytes()
}

fn percent(bytes: &[u8]) -> Vec<u8> {
    spaced(bytes, "", |byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    })
}

/// Writes each form of a secret to a file of its own below `dir`, in the middle of other bytes; tells how many.
pub fn plant(dir: &Path, secret: &[u8]) -> usize {
    let forms = forms(secret);
    for (index, (_, bytes)) in forms.iter().enumerate() {
        fs::write(dir.join(format!("planted-{index}")), [b"before\n", bytes.as_slice(), b"\0after"].concat()).unwrap();
    }
    forms.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn every_form_is_found() {
        let secret = crate::random::bytes(24);
        let dir = tempfile::tempdir().unwrap();
        let planted = plant(dir.path(), &secret);
        let mut secrets = Secrets::default();
        secrets.add("planted", &secret);
        let (found, _) = secrets.found_below(dir.path(), |_, _| false);
        for index in 0..planted {
            assert!(found.iter().any(|line| line.starts_with(&format!("planted-{index}:"))), "{index}: {found:?}");
        }
        assert!(secrets.found_in(&crate::random::bytes(100_000)).is_empty());
    }

    #[test]
    fn base64_of_a_text_around_the_secret_is_found() {
        let secret = crate::random::bytes(24);
        let mut secrets = Secrets::default();
        secrets.add("s", &secret);
        for lead in 0..7 {
            let text = STANDARD.encode([&b"before!"[..lead], &secret, b"after"].concat());
            assert!(!secrets.found_in(text.as_bytes()).is_empty(), "{lead}");
        }
    }
}

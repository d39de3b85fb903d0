//! The fixed vectors of the formats, which an independent program computed.

use serde_json::Value;

const FILES: [&str; 3] = [
    include_str!("../tests/vectors/envelope-v1.json"),
    include_str!("../tests/vectors/envelope-ciphers.json"),
    include_str!("../tests/vectors/envelope-text.json"),
];

/// The vectors of one section of the files in `tests/vectors`.
pub fn section(name: &str) -> Vec<Vector> {
    let files = FILES.map(|file| serde_json::from_str::<Value>(file).unwrap());
    let vectors: Vec<Vector> =
        files.iter().filter_map(|file| file[name].as_array()).flatten().cloned().map(Vector).collect();
    assert!(!vectors.is_empty());
    vectors
}

pub struct Vector(Value);

impl Vector {
    pub fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap()
    }

    pub fn bytes(&self, field: &str) -> Vec<u8> {
        hex::decode(self.text(field)).unwrap()
    }

    pub fn salt(&self) -> [u8; 32] {
        self.bytes("salt").try_into().unwrap()
    }

    pub fn value(&self, field: &str) -> &Value {
        &self.0[field]
    }
}

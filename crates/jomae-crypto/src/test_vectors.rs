//! The fixed vectors of the formats, which an independent program computed.

use serde_json::Value;

/// The vectors of one section of `tests/vectors/envelope-v1.json`.
pub fn section(name: &str) -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("../tests/vectors/envelope-v1.json")).unwrap();
    let vectors: Vec<Vector> = file[name].as_array().unwrap().iter().cloned().map(Vector).collect();
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

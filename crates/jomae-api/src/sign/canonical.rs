//! The texts that signatures cover, written straight into a MAC or hash: no large string is built on the way.

use jomae_crypto::hash::Hasher;
use jomae_crypto::mac::Mac;

use crate::wire::percent::{Buffered, Sink};

impl Sink for Mac {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Sink for Hasher {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

/// The string to sign of RPC v1. `pairs` in byte order of the names, without `Signature`.
///
/// The pairs are encoded, joined, and the whole encoded again; here in one pass.
pub(super) fn rpc<'p, S: Sink>(method: &str, pairs: impl Iterator<Item = (&'p str, &'p str)>, sink: &mut S) {
    let mut out = Buffered::new(sink);
    out.put(method.as_bytes());
    out.put(b"&%2F&");
    for (at, (name, value)) in pairs.enumerate() {
        if at > 0 {
            out.put(b"%26");
        }
        out.put_encoded_twice(name);
        out.put(b"%3D");
        out.put_encoded_twice(value);
    }
    out.finish();
}

/// The parts of an ACS canonical request that are single texts.
pub(super) struct Acs<'c> {
    pub(super) method: &'c str,
    pub(super) path: &'c str,
    pub(super) signed_headers: &'c str,
    pub(super) payload_hash: &'c str,
}

/// The canonical request of ACS3 and ACS4. `query` in byte order of the names; `headers` in the order of
/// `signed_headers`, each with its values (more than one only if the header is repeated).
pub(super) fn acs<'p, S: Sink, V: Iterator<Item = &'p [u8]>>(
    texts: &Acs<'_>,
    query: impl Iterator<Item = (&'p str, &'p str)>,
    headers: impl Iterator<Item = (&'p str, V)>,
    sink: &mut S,
) {
    let mut out = Buffered::new(sink);
    out.put(texts.method.as_bytes());
    out.put(b"\n");
    out.put(texts.path.as_bytes());
    out.put(b"\n");
    for (at, (name, value)) in query.enumerate() {
        if at > 0 {
            out.put(b"&");
        }
        out.put_encoded(name);
        out.put(b"=");
        out.put_encoded(value);
    }
    out.put(b"\n");
    for (name, values) in headers {
        out.put(name.as_bytes());
        out.put(b":");
        for (at, value) in values.enumerate() {
            if at > 0 {
                out.put(b",");
            }
            out.put(value);
        }
        out.put(b"\n");
    }
    out.put(b"\n");
    out.put(texts.signed_headers.as_bytes());
    out.put(b"\n");
    out.put(texts.payload_hash.as_bytes());
    out.finish();
}

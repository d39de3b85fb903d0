//! Where things lie in etcd.

use bytes::Bytes;
use jomae_core::store::{PATH_BYTES_MAX, Path, StoreError};
use jomae_etcd::prefix_end;

/// A first key, and the key after the last.
pub(super) type Range = (Bytes, Bytes);

/// The keys below one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// `None` if the prefix is not 1 to 64 of letters, digits, `.`, `_` and `-`. Without `/`, no store lies in another.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=64).contains(&prefix.len()) && prefix.bytes().all(allowed);
        fits.then(|| Self { prefix: prefix.to_owned() })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    fn range(&self, part: &str) -> Range {
        let first = format!("{}/{part}", self.prefix);
        let end = prefix_end(first.as_bytes());
        (first.into(), end.into())
    }

    /// Everything.
    pub(super) fn all(&self) -> Range {
        self.range("")
    }

    /// Whose store this is.
    pub(super) fn identity(&self) -> Bytes {
        format!("{}/store", self.prefix).into()
    }

    /// Put by every commit that changes a record: its revision is that of the newest.
    pub(super) fn head(&self) -> Bytes {
        format!("{}/head", self.prefix).into()
    }

    pub(super) fn records(&self) -> Range {
        self.range("r/")
    }

    pub(super) fn record(&self, path: &Path) -> Bytes {
        format!("{}/r/{path}", self.prefix).into()
    }

    /// The path of a record's key. etcd is not trusted to hold only what was put there.
    pub(super) fn path(&self, key: &[u8]) -> Result<Path, StoreError> {
        let damaged = || {
            let shown = key.get(..PATH_BYTES_MAX).unwrap_or(key).escape_ascii();
            StoreError::Damaged(format!("the key \"{shown}\" is not that of a record"))
        };
        let (start, _) = self.records();
        let path = key.strip_prefix(start.as_ref()).ok_or_else(damaged)?;
        if path.is_empty() || path.len() > PATH_BYTES_MAX {
            return Err(damaged());
        }
        std::str::from_utf8(path).map(Path::new).map_err(|_| damaged())
    }

    /// The commit slots of every instance.
    pub(super) fn slots(&self) -> Range {
        self.range("c/")
    }

    /// The commit slots of one instance.
    pub(super) fn slots_of(&self, instance: &str) -> Range {
        self.range(&format!("c/{instance}/"))
    }

    pub(super) fn slot(&self, instance: &str, number: usize) -> Bytes {
        format!("{}/c/{instance}/{number}", self.prefix).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_one_plain_name() {
        for good in ["jomae", "a", "Jomae-2.test_1", &"x".repeat(64)] {
            assert!(Keys::new(good).is_some(), "{good}");
        }
        for bad in ["", "a/b", "/", "jomae/", "a b", "\u{e9}", &"x".repeat(65)] {
            assert!(Keys::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_record_is_found_under_its_path_and_nothing_else_is_one() {
        let keys = Keys::new("p").expect("a prefix");
        let path = Path::new("\u{e9}/x");
        assert_eq!(keys.path(&keys.record(&path)).expect("a record"), path);
        let long = format!("p/r/{}", "x".repeat(PATH_BYTES_MAX + 1));
        for bad in [&b"p/r/"[..], b"p/r", b"p/store", b"q/r/x", b"p/r/\xff", long.as_bytes()] {
            assert!(keys.path(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}

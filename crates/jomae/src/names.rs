//! Names as people type them.

use jomae_api::names::{ALIAS_PREFIX, AliasName};

use crate::output::Failure;

/// A key as the API takes it. What is neither an ID nor a full name is an alias, with or without its prefix.
pub fn key(given: &str) -> Result<String, Failure> {
    if is_uuid(given) || given.starts_with("acs:") { Ok(given.to_owned()) } else { alias(given) }
}

/// An alias as the API takes it, with or without its prefix.
pub fn alias(given: &str) -> Result<String, Failure> {
    let name = given.strip_prefix(ALIAS_PREFIX).unwrap_or(given);
    let alias = AliasName::new(name).ok_or_else(|| {
        Failure::Usage(format!(
            "{given:?} is no alias: it has 1 to 255 letters, digits, `_`, `-` and `/`, behind {ALIAS_PREFIX} or without it"
        ))
    })?;
    Ok(alias.to_wire())
}

/// As [`alias`], for one that is to be made.
pub fn new_alias(given: &str) -> Result<String, Failure> {
    let alias = alias(given)?;
    if AliasName::from_wire(&alias).is_some_and(|name| name.is_reserved()) {
        return Err(Failure::Usage(format!("{alias} cannot be made: names that begin with acs are the service's own")));
    }
    Ok(alias)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The name that was probably meant: the same in another case, or the one with the fewest letters that differ.
pub fn nearest<'n>(given: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let lower = given.to_ascii_lowercase();
    let far = (lower.len() / 3).max(1);
    let measured = names.into_iter().map(|name| (distance(&lower, &name.to_ascii_lowercase()), name));
    measured.filter(|(distance, _)| *distance <= far).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// How many letters must be put in, taken away or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(WORD_CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().take(WORD_CHARS_MAX).enumerate() {
        let mut before = i;
        let mut last = i + 1;
        for (&b, cell) in other.iter().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            last = (before + usize::from(a != b)).min(above + 1).min(last + 1);
            before = above;
            *cell = last;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// No name is longer.
const WORD_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_aliases_as_typed() {
        let id = "05754286-3ba2-4fa6-8d41-4323aca6e5fd";
        for (given, meant) in [
            (id, id),
            ("acs:kms:cn-hangzhou:1234567890123456:key/x", "acs:kms:cn-hangzhou:1234567890123456:key/x"),
            ("orders", "alias/orders"),
            ("alias/orders", "alias/orders"),
            ("team/orders", "alias/team/orders"),
        ] {
            assert_eq!(key(given).ok().as_deref(), Some(meant));
        }
        assert!(new_alias("orders").is_ok() && new_alias("acs/oss").is_err() && new_alias("alias/acs").is_err());
        for bad in ["", "alias/", "no name!", "alias/é"] {
            assert!(key(bad).is_err() && alias(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_meant() {
        let names = ["Encrypt", "Decrypt", "DescribeKey", "ListKeys"];
        for (given, meant) in [
            ("decrypt", Some("Decrypt")),
            ("Encyrpt", Some("Encrypt")),
            ("ListKey", Some("ListKeys")),
            ("DescribeKeys", Some("DescribeKey")),
            ("Frobnicate", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), meant, "{given}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!((distance("", "abc"), distance("abc", ""), distance("abc", "abc")), (3, 3, 0));
    }
}

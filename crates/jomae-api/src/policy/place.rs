//! Where in its text a document is wrong, for whoever has typed it.
//!
//! [`parse`] is asked again and again, with less and less of what is wrong, until nothing can be left out any more. So there
//! is one reader of the language alone, and this here cannot disagree with it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Form, Malformed, parse};

/// Most items of a list or object that are gone through; in a longer one the place is the list.
const ITEMS_MAX: usize = 256;

/// A place in a text; lines and columns are counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

/// Where a document is wrong that [`parse`] has refused as `wrong`; the start of what is wrong as a whole, if it cannot be
/// told nearer.
pub fn place_of(text: &str, form: Form, wrong: &Malformed) -> Place {
    let at = found(text, form, wrong).unwrap_or_else(|| text.len() - text.trim_start().len());
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    Place { line: before.matches('\n').count() + 1, column }
}

/// The members of an object as they stand in the text, in their order; names with their quotes.
struct Members<'t>(Vec<(&'t str, &'t str)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = access.next_entry::<&RawValue, &RawValue>()? {
                    members.push((name.get(), value.get()));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

fn items(text: &str) -> Option<Vec<&str>> {
    let items = serde_json::from_str::<Vec<&RawValue>>(text).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

fn named<'t>(members: &[(&'t str, &'t str)], name: &str) -> Vec<(&'t str, &'t str)> {
    let is_it = |written: &str| serde_json::from_str::<String>(written).is_ok_and(|decoded| decoded == name);
    members.iter().copied().filter(|(written, _)| is_it(written)).collect()
}

/// How far into the text a part of it begins, in bytes.
fn offset(text: &str, part: &str) -> Option<usize> {
    part.as_ptr().addr().checked_sub(text.as_ptr().addr()).filter(|at| *at <= text.len())
}

fn found(text: &str, form: Form, wrong: &Malformed) -> Option<usize> {
    if text.len() > form.bytes_max() {
        return Some(text.floor_char_boundary(form.bytes_max()));
    }
    if let Err(error) = serde_json::from_str::<&RawValue>(text) {
        return syntax(text, error.line(), error.column());
    }
    let mut within = text;
    if wrong.statement > 0 {
        let (_, statements) = *named(&members(text)?, "Statement").first()?;
        within = items(statements)?.get(usize::from(wrong.statement) - 1)?;
    }
    let start = offset(text, within).map(|at| at + within.len() - within.trim_start().len());
    let Some(members) = members(within) else { return start };
    if wrong.element == "member" {
        let known: &[&str] = match wrong.statement {
            0 => &["Version", "Statement"],
            _ => &["Sid", "Effect", "Action", "NotAction", "Resource", "Principal", "Condition"],
        };
        let is_known = |written: &str| known.iter().any(|name| !named(&[(written, "")], name).is_empty());
        let (unknown, _) = members.into_iter().find(|(written, _)| !is_known(written))?;
        return offset(text, unknown);
    }
    let same = named(&members, wrong.element);
    match same.as_slice() {
        [] => start,
        [(_, value)] => {
            let Some((before, after)) = around(text, value) else { return start };
            let again = |value: &str| parse(&[before, value, after].concat(), form).err() == Some(*wrong);
            offset(text, narrowed(value, &again).unwrap_or(value))
        }
        [_, (second, _), ..] => offset(text, second),
    }
}

/// What stands before a part of the text and after it.
fn around<'t>(text: &'t str, part: &str) -> Option<(&'t str, &'t str)> {
    let at = offset(text, part)?;
    Some((text.get(..at)?, text.get(at + part.len()..)?))
}

/// The smallest part of a value that is wrong. `again` tells whether the document would be refused as before with
/// another value in its place.
fn narrowed<'t>(value: &'t str, again: &dyn Fn(&str) -> bool) -> Option<&'t str> {
    if again("{}") {
        return None;
    }
    if let Some(items) = items(value) {
        let start = |count: usize| items.get(..count).unwrap_or_default().join(",");
        let wrong = (1..=items.len().min(ITEMS_MAX)).find(|count| again(&format!("[{}]", start(*count))))?;
        return items.get(wrong - 1).copied();
    }
    let members = members(value)?;
    let start = |count: usize| {
        let written = members.iter().take(count).map(|(name, value)| format!("{name}:{value}"));
        written.collect::<Vec<_>>().join(",")
    };
    let wrong = (1..=members.len().min(ITEMS_MAX)).find(|count| again(&format!("{{{}}}", start(*count))))?;
    let (name, value) = *members.get(wrong - 1)?;
    let before = match start(wrong - 1) {
        before if before.is_empty() => before,
        before => before + ",",
    };
    let within = |value: &str| again(&format!("{{{before}{name}:{value}}}"));
    // What is wrong whatever stands there is wrong for its name.
    if within("{}") { Some(name) } else { Some(narrowed(value, &within).unwrap_or(value)) }
}

/// Where a line and a column of `serde_json` are: it counts bytes, and the place is before the last one that it has read.
fn syntax(text: &str, line: usize, column: usize) -> Option<usize> {
    let line_start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let at = (line_start + column.saturating_sub(1)).min(text.len());
    Some(text.floor_char_boundary(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(text: &str, form: Form) -> (usize, usize) {
        let wrong = parse(text, form).expect_err("wrong");
        let Place { line, column } = place_of(text, form, &wrong);
        (line, column)
    }

    /// A document with one statement, with a mark where it is wrong.
    fn marked(statement: &str, form: Form) {
        let text = format!("{{\"Version\":\"1\",\"Statement\":[{{\n{statement}\n}}]}}");
        let at = text.find('▲').expect("a mark");
        let clean = text.replace('▲', "");
        let line = text[..at].matches('\n').count() + 1;
        let column = text[text[..at].rfind('\n').expect("a line") + 1..at].chars().count() + 1;
        assert_eq!(place(&clean, form), (line, column), "{text}: {:?}", parse(&clean, form));
    }

    #[test]
    fn what_is_wrong_is_found() {
        for statement in [
            r#""Effect":▲"Alow","Action":"kms:*","Resource":"*""#,
            "\"Effect\":\"Allow\",\"Action\":[\"kms:Encrypt\",\n  ▲\"kms:Decrpyt\"],\"Resource\":\"*\"",
            r#""Effect":"Allow","Action":▲"kms:Decrpyt","Resource":"*""#,
            r#""Effect":"Allow","Action":"*","Resource":["*",▲"acs:kms:*:*:keys/x"]"#,
            r#""Effect":"Allow","Action":"*","Resource":"*",▲"Resources":"*""#,
            r#""Effect":"Allow","Action":"*",▲"Action":"*","Resource":"*""#,
            r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{▲"StringEqual":{"acs:SourceIp":"x"}}"#,
            "\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":\n{\"kms:EncryptionContext/鍵\":\"a\",▲\"acs:Nothing\":\"x\"}}",
            r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"acs:SourceIp":["10.0.0.0/8",▲"10.0.0.0/99"]}}"#,
            r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"acs:SecureTransport":"true",▲"acs:SecureTransport":"true"}}"#,
        ] {
            marked(statement, Form::Identity);
        }
        marked(
            r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::1234567890123456:root",▲"hanako"]}"#,
            Form::Trust,
        );
        marked(r#""Effect":"Allow","Action":"sts:AssumeRole","Principal":{▲"Human":"hanako"}"#, Form::Trust);
    }

    #[test]
    fn the_document_as_a_whole() {
        assert_eq!(place("", Form::Identity), (1, 1));
        assert_eq!(place("\n  []", Form::Identity), (2, 3));
        assert_eq!(place("{\n\"Version\": \"1\",\n\"Statement\": [,]}", Form::Identity), (3, 15));
        assert_eq!(place("{\"Version\":\"1\",\n\"Statements\":[]}", Form::Identity), (2, 1));
        assert_eq!(place("{\"Version\":\"2\",\"Statement\":[]}", Form::Identity), (1, 12));
        assert_eq!(place("{\"Version\":\"1\",\"Statement\":[{}]}", Form::Identity), (1, 29));
        let long = " ".repeat(Form::Identity.bytes_max() + 1);
        assert_eq!(place(&long, Form::Identity), (1, Form::Identity.bytes_max() + 1));
    }

    proptest! {
        #[test]
        fn a_place_is_in_the_text(text in "[{}\\[\\]\":,\n aEffectActionkms鍵]{0,80}", form in 0usize..4) {
            let form = Form::ALL[form];
            if let Err(wrong) = parse(&text, form) {
                let Place { line, column } = place_of(&text, form, &wrong);
                let of_line = text.split('\n').nth(line - 1).expect("such a line");
                prop_assert!(column <= of_line.chars().count() + 1);
            }
        }
    }
}

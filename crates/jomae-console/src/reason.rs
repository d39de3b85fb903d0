//! Reasons of decisions, from the words of the service to those of the reader.
//!
//! The service tells why it has decided in sentences of a few forms, one after the other, which name policies, statements
//! and condition keys. A sentence of another form is shown as it is.

use maud::{Markup, html};

use crate::Frame;

/// A sentence: the id of its text, and what is named in it.
#[derive(Debug, PartialEq, Eq)]
struct Sentence<'t> {
    id: &'static str,
    values: Vec<(&'static str, &'t str)>,
}

const PROPOSED: &str = "the proposed policy";
/// Policies without a name of their own.
const UNNAMED: [(&str, &str); 4] = [
    (PROPOSED, "reason-proposed"),
    ("the key policy", "reason-key-policy"),
    ("the trust policy", "reason-trust-policy"),
    ("the session policy", "reason-session-policy"),
];
/// Sentences in which nothing is named.
const PLAIN: [(&str, &str); 9] = [
    ("no statement allows it", "reason-nothing-allows"),
    ("the session policy does not allow it", "reason-session"),
    ("the account itself may do everything in it", "reason-account"),
    ("a valid signature is enough", "reason-signature"),
    ("the key policy of the other account does not allow it", "reason-foreign-key"),
    ("no statement of the trust policy names the caller, or a condition is not met", "reason-trust"),
    ("to another account, the key does not exist", "reason-hidden"),
    ("the key has the default key policy, which leaves everything to RAM", "reason-default-key-policy"),
    ("it is not there: the service asks for the permission first, and then says so", "reason-not-there"),
];

fn sentence(text: &str) -> Option<Sentence<'_>> {
    let plain = |id| Sentence { id, values: Vec::new() };
    if let Some((_, id)) = PLAIN.iter().find(|(known, _)| *known == text) {
        return Some(plain(id));
    }
    if let Some(rest) = text.strip_prefix("explicit deny in ") {
        let (policy, statement) = rest.rsplit_once(", statement ")?;
        let policy = policy.strip_prefix("policy ").unwrap_or(policy);
        return Some(Sentence { id: "reason-denied", values: vec![("policy", policy), ("statement", statement)] });
    }
    if let Some(rest) = text.strip_suffix(", allows it") {
        let (policy, statement) = rest.rsplit_once(", statement ")?;
        return Some(Sentence { id: "reason-allowed", values: vec![("policy", policy), ("statement", statement)] });
    }
    let (policy, rest) = text.split_once(": Statement ")?;
    let (statement, rest) = rest.split_once(' ')?;
    let mut values = vec![("policy", policy), ("statement", statement)];
    let id = match rest.strip_prefix("does not apply: ") {
        None if rest == "allows" => "reason-allowed",
        None if rest == "denies" => "reason-denied",
        None => return None,
        Some("the principal is not named") => "reason-principal",
        Some("the resource does not match") => "reason-resource",
        Some("it costs more than is left for the decision") => "reason-cost",
        Some(why) => {
            let (met, id) = match why.strip_suffix(", the request has no such value") {
                Some(met) => (met, "reason-condition-absent"),
                None => (why, "reason-condition"),
            };
            let (operator, key) = met.strip_suffix(" is not met")?.split_once(' ')?;
            values.extend([("operator", operator), ("key", key)]);
            id
        }
    };
    Some(Sentence { id, values })
}

/// Whether each sentence of a reason is one that has a text in every language.
pub fn is_known(reason: &str) -> bool {
    reason.split("; ").all(|text| sentence(text).is_some())
}

/// A reason, a sentence a line, in the reader's language; beneath it the service's own words.
pub(crate) fn reason(frame: &Frame<'_>, reason: &str) -> Markup {
    html! {
        ul.reason { @for text in reason.split("; ") { li { (told(frame, text)) } } }
    }
}

/// One sentence of the service.
pub(crate) fn told(frame: &Frame<'_>, text: &str) -> Markup {
    let Some(Sentence { id, values }) = sentence(text) else {
        return html! { span lang="en" translate="no" { (text) } };
    };
    let own: Vec<(&str, String)> = values
        .into_iter()
        .map(|(name, value)| {
            let unnamed = UNNAMED.iter().find(|(known, _)| *known == value);
            let proposed = value.strip_suffix(" as proposed");
            let shown = match (unnamed, proposed) {
                (Some((_, id)), _) => frame.t(id),
                (None, Some(policy)) => frame.t_with("reason-as-proposed", &[("policy", policy)]),
                (None, None) => value.to_owned(),
            };
            (name, shown)
        })
        .collect();
    let values: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    html! { (frame.t_with(id, &values)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let of = |text| sentence(text).map(|sentence| (sentence.id, sentence.values));
        assert_eq!(
            of("explicit deny in policy a-b, statement 2"),
            Some(("reason-denied", vec![("policy", "a-b"), ("statement", "2")]))
        );
        assert_eq!(
            of("the key policy, statement 1, allows it"),
            Some(("reason-allowed", vec![("policy", "the key policy"), ("statement", "1")]))
        );
        assert_eq!(
            of("p: Statement 3 does not apply: StringEquals kms:EncryptionContext/a b is not met"),
            Some((
                "reason-condition",
                vec![
                    ("policy", "p"),
                    ("statement", "3"),
                    ("operator", "StringEquals"),
                    ("key", "kms:EncryptionContext/a b")
                ]
            ))
        );
        assert_eq!(of("something else"), None);
        assert!(is_known("no statement allows it; p: Statement 1 does not apply: the resource does not match"));
        assert!(!is_known("no statement allows it; …") && !is_known("p: Statement"));
    }
}

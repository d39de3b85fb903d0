//! Key policies: their form. What they allow is decided in `jomae-core`.

use serde::{Deserialize, Serialize};

use crate::limits;

/// A key policy that is well formed; kept as the text that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicy(String);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: String,
    statement: Vec<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(default)]
    sid: Option<String>,
    effect: Effect,
    principal: Principal,
    action: OneOrMany,
    resource: OneOrMany,
    #[serde(default)]
    condition: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Principal {
    #[serde(rename = "RAM")]
    ram: OneOrMany,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl KeyPolicy {
    /// Reads a policy document. Unknown members, other versions, principals that are none and resources other than
    /// `*` are refused, not skipped.
    pub fn from_json(text: &str) -> Option<Self> {
        if text.len() > limits::POLICY_BYTES_MAX {
            return None;
        }
        let document: Document = serde_json::from_str(text).ok()?;
        let well_formed =
            document.version == "1" && !document.statement.is_empty() && document.statement.iter().all(is_well_formed);
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The policy that a key has unless another is set: everyone of the account, as far as RAM allows.
    pub fn default_of(account: &crate::names::AccountId) -> Self {
        Self(format!(
            r#"{{"Version":"1","Statement":[{{"Sid":"kms default key policy","Effect":"Allow","Principal":{{"RAM":["acs:ram::{account}:*"]}},"Action":["kms:*"],"Resource":["*"]}}]}}"#
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_well_formed(statement: &Statement) -> bool {
    let Statement { sid, effect: Effect::Allow | Effect::Deny, principal, action, resource, condition } = statement;
    let sid_fits = sid.as_deref().is_none_or(|sid| {
        sid.len() <= 128 && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b"_/+=.@- ".contains(&b))
    });
    let all = |texts: &OneOrMany, fits: fn(&str) -> bool| {
        !texts.texts().is_empty() && texts.texts().iter().all(|text| fits(text))
    };
    sid_fits
        && all(&principal.ram, is_principal)
        && all(action, |action| {
            action.strip_prefix("kms:").is_some_and(|name| {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'?'))
            })
        })
        && all(resource, |resource| resource == "*")
        && condition.as_ref().is_none_or(|operators| operators.values().all(serde_json::Value::is_object))
}

/// `acs:ram::<account>:root`, `…:*`, `…:user/<name>` or `…:role/<name>`.
fn is_principal(text: &str) -> bool {
    let Some((account, who)) = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    let named = |kind: &str| who.strip_prefix(kind).is_some_and(|name| !name.is_empty() && name.len() <= 64);
    crate::names::AccountId::new(account).is_some() && (matches!(who, "root" | "*") || named("user/") || named("role/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"Version":"1","Statement":[{"Sid":"a b","Effect":"Allow","Principal":{"RAM":["acs:ram::1234567890123456:user/bob"]},"Action":["kms:Encrypt","kms:List*"],"Resource":["*"]}]}"#;

    #[test]
    fn forms() {
        assert_eq!(KeyPolicy::from_json(GOOD).unwrap().as_str(), GOOD);
        let account = crate::names::AccountId::new("1234567890123456").unwrap();
        assert!(KeyPolicy::from_json(KeyPolicy::default_of(&account).as_str()).is_some());
        for (from, to) in [
            ("\"1\"", "\"2\""),
            ("Allow", "Perhaps"),
            ("\"Resource\":[\"*\"]", "\"Resource\":[\"x\"]"),
            ("kms:Encrypt", "oss:Get"),
            ("acs:ram::1234567890123456:user/bob", "bob"),
            ("\"Sid\"", "\"Said\""),
            ("[{", "{"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD);
            assert!(KeyPolicy::from_json(&bad).is_none(), "{bad}");
        }
        assert!(KeyPolicy::from_json(&format!("{GOOD}{}", " ".repeat(limits::POLICY_BYTES_MAX))).is_none());
    }
}

//! The declarations of the actions, held against what the actions really ask, against the public description of the
//! API (`actions.json`), and against the table of key states.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jomae_api::{
    action::{Action, ActionSpec, Effect, StateRule, Target},
    actions::ACTIONS,
    error::Refusal::{self, Disabled, PendingDeletion, PendingImport, StateModifiedFailed},
    param::{AskedLog, Input, Kind, Secrecy},
    wire::Params,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Described {
    api_version: String,
    actions: Vec<DescribedAction>,
}

#[derive(Deserialize)]
struct DescribedAction {
    name: String,
    request: Vec<DescribedParam>,
    response: Option<Vec<String>>,
    ram_action: serde_json::Value,
    mutates: bool,
}

#[derive(Deserialize)]
struct DescribedParam {
    name: String,
    /// A boolean, or `"unknown"`.
    required: serde_json::Value,
}

fn described() -> BTreeMap<String, DescribedAction> {
    let file: Described = serde_json::from_str(include_str!("actions.json")).unwrap();
    assert_eq!(file.api_version, jomae_api::API_VERSION);
    file.actions.into_iter().map(|action| (action.name.clone(), action)).collect()
}

/// Asked parameters with the required flag, or the refusal; and whether access needs this RAM action alone.
type Parsed = Result<(BTreeSet<(&'static str, bool)>, Vec<(&'static str, bool)>), Refusal>;

struct Subject {
    spec: ActionSpec,
    parse: fn(&Params<'_>) -> Parsed,
}

fn subject<A: Action>() -> Subject {
    Subject {
        spec: A::SPEC,
        parse: |params| {
            let asked: AskedLog = RefCell::default();
            let action = A::parse(Input::recording(params, &asked))?;
            let needs = action.access().iter().map(|(ram, target)| (ram, target == Target::SignatureOnly)).collect();
            Ok((asked.borrow().iter().copied().collect(), needs))
        },
    }
}

macro_rules! subjects {
    ($($($part:ident)::+),* $(,)?) => {
        fn subjects() -> Vec<Subject> {
            vec![$(subject::<jomae_api::actions::$($part)::+>()),*]
        }
    };
}
jomae_api::for_each_action!(subjects);

fn parse(subject: &Subject, pairs: &[(&str, &str)]) -> Parsed {
    let mut query = String::new();
    for (name, value) in pairs {
        write!(query, "{name}=").unwrap();
        value.bytes().for_each(|byte| write!(query, "%{byte:02X}").unwrap());
        query.push('&');
    }
    (subject.parse)(&Params::parse(&query, None).unwrap())
}

fn with<'a>(example: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut pairs: Vec<_> = example.iter().copied().filter(|(other, _)| *other != name).collect();
    pairs.push((name, value));
    pairs
}

/// Parameters that are asked as required only under a condition, which the example meets.
const REQUIRED_ON_CONDITION: &[(&str, &str, &str)] =
    &[("CreateKey", "RotationInterval", "needed when EnableAutomaticRotation is true, ignored otherwise")];

#[test]
fn what_is_asked_is_what_is_declared() {
    for subject in subjects() {
        let name = subject.spec.name;
        let (asked, _) = parse(&subject, subject.spec.example).unwrap_or_else(|r| panic!("{name}: {r}"));
        let on_condition = |param| REQUIRED_ON_CONDITION.iter().any(|(action, p, _)| *action == name && *p == param);
        let declared: BTreeSet<_> = subject
            .spec
            .params
            .iter()
            .map(|used| (used.param.name(), used.required || on_condition(used.param.name())))
            .collect();
        assert_eq!(asked, declared, "{name}");
        assert_eq!(declared.len(), subject.spec.params.len(), "{name} declares a parameter twice");
        for (param, _) in subject.spec.example {
            assert!(asked.iter().any(|(asked, _)| asked == param), "{name}: the example's {param} is not asked for");
        }
    }
}

#[test]
fn without_a_required_parameter_there_is_no_call() {
    for subject in subjects() {
        for used in subject.spec.params.iter().filter(|used| used.required) {
            let param = used.param.name();
            let rest: Vec<_> = subject.spec.example.iter().copied().filter(|(name, _)| *name != param).collect();
            let missing = Refusal::ParameterMissing(param);
            assert_eq!(parse(&subject, &rest).unwrap_err(), missing, "{}", subject.spec.name);
            // Present and empty is absent, but for a description, which may be cleared.
            let emptied = parse(&subject, &with(&rest, param, ""));
            if subject.spec.name == "UpdateKeyDescription" && param == "Description" {
                assert!(emptied.is_ok());
            } else {
                assert_eq!(emptied.unwrap_err(), missing, "{}", subject.spec.name);
            }
        }
    }
    let set_protection = subjects().into_iter().find(|s| s.spec.name == "SetDeletionProtection").unwrap();
    let nameless = parse(&set_protection, &[("EnableDeletionProtection", "true")]);
    assert_eq!(nameless.unwrap_err(), Refusal::ParameterMissing("KeyId"));
}

/// A value over every limit is refused for every parameter, with its name: so each one is read, and each is bounded.
#[test]
fn every_parameter_is_bounded() {
    let huge = "x".repeat(20_000);
    for subject in subjects() {
        for used in subject.spec.params {
            let (action, param) = (subject.spec.name, used.param.name());
            let refusal = parse(&subject, &with(subject.spec.example, param, &huge)).unwrap_err();
            assert_eq!(refusal, Refusal::ParameterInvalid(param), "{action}");
            assert!(!used.param.accepts(&huge) && !used.param.shows(&huge), "{action} {param}");
        }
    }
}

#[test]
fn every_declaration_has_its_texts() {
    let mut names = BTreeSet::new();
    for spec in ACTIONS {
        assert!(names.insert(spec.name), "{} is declared twice", spec.name);
        assert!(spec.doc.len() > 20 && spec.doc.ends_with('.'), "{}", spec.name);
        assert_eq!(jomae_api::actions::find(spec.name).map(|found| found.name), Some(spec.name));
        for used in spec.params {
            let param = used.param;
            assert!(!param.limits().is_empty() && !param.doc().is_empty(), "{} {}", spec.name, param.name());
            assert!(param.doc().ends_with('.') && !param.limits().ends_with('.'), "{} {}", spec.name, param.name());
        }
        let errors: Vec<_> = spec.errors.iter().map(Refusal::code).collect();
        assert_eq!(errors.iter().collect::<BTreeSet<_>>().len(), errors.len(), "{}: an error twice", spec.name);
        let StateRule { enabled, disabled, pending_deletion, pending_import } = spec.states;
        for refusal in [enabled, disabled, pending_deletion, pending_import].into_iter().flatten() {
            assert!(spec.errors.contains(&refusal), "{} does not declare {refusal}", spec.name);
        }
    }
    assert_eq!(jomae_api::actions::find("NoSuchAction").map(|spec| spec.name), None);
    assert_eq!(names.len(), subjects().len());
}

/// Where we differ from `actions.json` in required flags, and why. There is no other difference in parameters.
const REQUIRED_OTHERWISE: &[(&str, &str, &str)] = &[];

/// Members of answers that we never give, and why.
const OUTPUT_NOT_GIVEN: &[(&str, &str, &str)] = &[
    ("Decrypt", "CiphertextForRecipient", "the parameter Recipient is refused"),
    ("GenerateDataKey", "CiphertextForRecipient", "the parameter Recipient is refused"),
];

#[test]
fn the_public_description_agrees() {
    let described = described();
    let (mut unused_required, mut unused_output) = (REQUIRED_OTHERWISE.to_vec(), OUTPUT_NOT_GIVEN.to_vec());
    for subject in subjects() {
        let (spec, name) = (&subject.spec, subject.spec.name);
        let action = described.get(name).unwrap_or_else(|| panic!("{name} is no public action"));
        let ours: BTreeMap<_, _> = spec.params.iter().map(|used| (used.param.name(), used.required)).collect();
        let theirs: BTreeMap<_, _> =
            action.request.iter().map(|param| (param.name.as_str(), param.required.as_bool().unwrap())).collect();
        assert!(ours.keys().eq(theirs.keys()), "{name}: {ours:?} {theirs:?}");
        for (param, required) in &ours {
            let differs = required != &theirs[param];
            let listed = unused_required.iter().position(|(a, p, _)| *a == name && p == param);
            assert_eq!(differs, listed.is_some(), "{name} {param}");
            listed.map(|at| unused_required.remove(at));
        }
        let mut output: BTreeSet<&str> = spec.output.iter().copied().collect();
        assert_eq!(output.len(), spec.output.len(), "{name}: a member twice");
        for (_, member, _) in OUTPUT_NOT_GIVEN.iter().filter(|(a, _, _)| *a == name) {
            assert!(output.insert(member), "{name} gives {member} after all");
            unused_output.retain(|(a, m, _)| (a, m) != (&name, member));
        }
        output.insert("RequestId");
        let members: BTreeSet<&str> = action.response.as_ref().unwrap().iter().map(String::as_str).collect();
        assert_eq!(output, members, "{name}");
        assert_eq!(spec.effect == Effect::Write, action.mutates, "{name}");
    }
    assert!(unused_required.is_empty() && unused_output.is_empty(), "exceptions that are none");
}

#[test]
fn permissions_have_their_public_names() {
    let described = described();
    for subject in subjects() {
        let name = subject.spec.name;
        let (_, needs) = parse(&subject, subject.spec.example).unwrap();
        assert!(!needs.is_empty(), "{name}");
        for (ram_action, signature_only) in needs {
            match described[name].ram_action.as_str() {
                Some(public) => assert_eq!((ram_action, signature_only), (public, false), "{name}"),
                None => assert!(signature_only, "{name} has no public permission"),
            }
        }
    }
}

/// Names of parameters, ours and others of the API, that hold what nobody else may see.
const SECRET_NAMES: &[&str] = &[
    "Plaintext",
    "CiphertextBlob",
    "EncryptedKeyMaterial",
    "ImportToken",
    "SecretData",
    "Password",
    "Message",
    "Digest",
    "Value",
    "Mac",
    "Recipient",
    "PublicKeyBlob",
];

/// Every parameter that may be shown. A new one is added here after some thought.
const PUBLIC_NAMES: &[&str] = &[
    "AliasName",
    "DeletionProtectionDescription",
    "Description",
    "DryRun",
    "EnableAutomaticRotation",
    "EnableDeletionProtection",
    "EncryptionContext",
    "Filters",
    "KeyId",
    "KeySpec",
    "KeyUsage",
    "NumberOfBytes",
    "Origin",
    "PageNumber",
    "PageSize",
    "PendingWindowInDays",
    "ProtectedResourceArn",
    "ProtectionLevel",
    "RotationInterval",
    "Tags",
];

#[test]
fn secrets_are_secret() {
    let mut public = BTreeSet::new();
    for spec in ACTIONS {
        for used in spec.params {
            let param = used.param;
            if SECRET_NAMES.contains(&param.name()) {
                assert_eq!(param.secrecy(), Secrecy::Secret, "{} {}", spec.name, param.name());
            }
            if param.secrecy() == Secrecy::Public {
                assert_ne!(param.kind(), Kind::Base64, "{} {}", spec.name, param.name());
                public.insert(param.name());
            }
        }
    }
    assert_eq!(public.into_iter().collect::<Vec<_>>(), PUBLIC_NAMES);
}

#[test]
fn what_may_be_recorded() {
    let param = |name: &str| {
        let mut all = ACTIONS.iter().flat_map(|spec| spec.params);
        all.find(|used| used.param.name() == name).unwrap().param
    };
    for key in ["05754286-3ba2-4fa6-8d41-4323aca6e5fd", "alias/orders", "acs:kms:cn-hangzhou:1234567890123456:key/abc"]
    {
        assert!(param("ProtectedResourceArn").accepts(key) == key.starts_with("acs:"));
        let key_ref = ACTIONS.iter().find(|spec| spec.name == "Encrypt").unwrap().params[0].param;
        assert!(key_ref.shows(key), "{key}");
    }
    for secret in ["hunter2", "aGVsbG8gd29ybGQ", "correct-horse", "05754286-3ba2-4fa6-8d41-4323aca6e5f\u{e9}"] {
        for spec in ACTIONS {
            for used in spec.params.iter().filter(|used| used.param.name() == "KeyId") {
                assert!(!used.param.shows(secret), "{} {secret}", spec.name);
            }
        }
    }
    for (name, valid) in [("Plaintext", "aGk="), ("CiphertextBlob", "aGk=")] {
        assert!(param(name).accepts(valid) && !param(name).shows(valid), "{name}");
    }
}

/// `keys.md`, "Key states": what Enabled, Disabled, `PendingDeletion` and `PendingImport` do to a call.
type Row = (&'static str, [Option<Refusal>; 4]);
const STATES: &[Row] = {
    const SMF: Option<Refusal> = Some(StateModifiedFailed);
    const RPD: Option<Refusal> = Some(PendingDeletion);
    const ANY: [Option<Refusal>; 4] = [None; 4];
    const CRYPTO: [Option<Refusal>; 4] = [None, Some(Disabled), RPD, Some(PendingImport)];
    &[
        ("Encrypt", CRYPTO),
        ("Decrypt", CRYPTO),
        ("GenerateDataKey", CRYPTO),
        ("GenerateDataKeyWithoutPlaintext", CRYPTO),
        ("DescribeKey", ANY),
        ("ListKeys", ANY),
        ("ListAliases", ANY),
        ("ListAliasesByKeyId", ANY),
        ("DeleteAlias", ANY),
        ("UpdateKeyDescription", [None, None, RPD, None]),
        ("EnableKey", [None, None, SMF, SMF]),
        ("DisableKey", [None, None, SMF, SMF]),
        ("ScheduleKeyDeletion", [None, None, SMF, None]),
        ("CancelKeyDeletion", [SMF, SMF, None, SMF]),
        ("CreateAlias", [None, None, SMF, None]),
        ("UpdateAlias", [None, None, RPD, None]),
        ("SetDeletionProtection", [None, None, RPD, None]),
        // No key stands behind these.
        ("CreateKey", ANY),
        ("DescribeRegions", ANY),
        ("DescribeAccountKmsStatus", ANY),
    ]
};

#[test]
fn state_rules_are_the_table() {
    let table: BTreeMap<_, _> = STATES.iter().copied().collect();
    assert_eq!(table.len(), STATES.len());
    for spec in ACTIONS {
        let StateRule { enabled, disabled, pending_deletion, pending_import } = spec.states;
        let rule = [enabled, disabled, pending_deletion, pending_import];
        assert_eq!(Some(&rule), table.get(spec.name), "{}", spec.name);
    }
    assert_eq!(table.len(), ACTIONS.len());
}

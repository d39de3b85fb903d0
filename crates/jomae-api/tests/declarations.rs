//! The declarations of the actions, held against what the actions really ask, against the public description of the
//! APIs (`actions.json` for KMS, `others.json` for the rest), and against the table of key states.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; the lint does not see that its helpers are tests too")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use jomae_api::{
    action::{Action, ActionSpec, Api, Effect, Target},
    actions::ACTIONS,
    answer::{Answer, Member},
    error::Refusal,
    param::{AskedLog, Input, Kind, ParamInfo},
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

/// What the public descriptions say of the action of each name and API. `others.json` holds the actions that are
/// offered here, by the official SDKs' models and the pages of the actions.
fn described() -> BTreeMap<(Api, String), DescribedAction> {
    let kms: Described = serde_json::from_str(include_str!("actions.json")).unwrap();
    let mut files: Vec<Described> = serde_json::from_str(include_str!("others.json")).unwrap();
    files.push(kms);
    let mut all = BTreeMap::new();
    for file in files {
        let api = jomae_api::actions::api_of_version(&file.api_version).unwrap();
        all.extend(file.actions.into_iter().map(|action| ((api, action.name.clone()), action)));
    }
    all
}

impl Subject {
    fn described(&self, described: &mut BTreeMap<(Api, String), DescribedAction>) -> DescribedAction {
        let name = self.spec.name;
        described.remove(&(self.spec.api(), name.to_owned())).unwrap_or_else(|| panic!("{name} is no public action"))
    }
}

/// Asked parameters with the required flag, or the refusal; and whether access needs this RAM action alone.
type Parsed = Result<(BTreeSet<(&'static str, bool)>, Vec<(&'static str, bool)>), Refusal>;

struct Subject {
    spec: ActionSpec,
    answer: &'static [Member],
    parse: fn(&Params<'_>) -> Parsed,
    /// How many encryption contexts a call gives to policies.
    contexts: fn(&Params<'_>) -> usize,
}

fn subject<A: Action>() -> Subject {
    Subject {
        spec: A::SPEC,
        answer: A::Output::MEMBERS,
        parse: |params| {
            let asked: AskedLog = RefCell::default();
            let action = A::parse(Input::recording(params, &asked))?;
            let needs =
                action.access().iter().map(|need| (need.permission, need.target == Target::SignatureOnly)).collect();
            Ok((asked.borrow().iter().copied().collect(), needs))
        },
        contexts: |params| {
            let given = |action: A| action.access().iter().filter(|need| need.context.is_some()).count();
            A::parse(Input::new(params)).map_or(0, given)
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
const REQUIRED_ON_CONDITION: &[(&str, &str, &str)] = &[
    ("CreateKey", "RotationInterval", "needed when EnableAutomaticRotation is true, ignored otherwise"),
    ("UpdateRotationPolicy", "RotationInterval", "needed when EnableAutomaticRotation is true, ignored otherwise"),
];

/// The name under which a request gives the parameter: a list has numbered ones.
fn sent_as(param: &dyn ParamInfo) -> String {
    match param.kind() {
        Kind::List => format!("{}.1", param.name()),
        Kind::Pairs => format!("{}.1.Key", param.name()),
        _ => param.name().to_owned(),
    }
}

/// The parameter that a name in a request belongs to.
fn declared_name(sent: &str) -> &str {
    sent.split('.').next().unwrap()
}

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
            let is_asked = asked.iter().any(|(asked, _)| *asked == declared_name(param));
            assert!(is_asked, "{name}: the example's {param} is not asked for");
        }
    }
}

/// A context that policies cannot see is a condition that does not hold where its writer believes it does.
#[test]
fn every_context_can_be_asked_for_by_policies() {
    let mut seen = 0;
    for subject in subjects() {
        let taken = subject.spec.params.iter().filter(|used| used.param.kind() == Kind::Map).count();
        let query: Vec<String> = subject
            .spec
            .example
            .iter()
            .map(|(name, value)| {
                let escaped: Vec<String> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                format!("{name}={}", escaped.concat())
            })
            .collect();
        let query = query.join("&");
        let params = Params::parse(&query, None).unwrap();
        assert_eq!((subject.contexts)(&params), taken, "{}", subject.spec.name);
        seen += taken;
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn without_a_required_parameter_there_is_no_call() {
    for subject in subjects() {
        for used in subject.spec.params.iter().filter(|used| used.required) {
            let param = used.param.name();
            let others = subject.spec.example.iter().copied().filter(|(name, _)| declared_name(name) != param);
            let rest: Vec<_> = others.collect();
            let missing = Refusal::ParameterMissing(param);
            assert_eq!(parse(&subject, &rest).unwrap_err(), missing, "{}", subject.spec.name);
            // Present and empty is absent, but for a description, which may be cleared.
            let emptied = parse(&subject, &with(&rest, param, ""));
            if matches!(param, "Description" | "NewDescription") {
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

/// What one parameter makes necessary.
#[test]
fn what_belongs_together_is_needed_together() {
    let of = |name: &str| subjects().into_iter().find(|subject| subject.spec.name == name).unwrap();
    let re_encrypt = of("ReEncrypt");
    let mut pairs = with(re_encrypt.spec.example, "SourceKeyId", "alias/a");
    for missing in ["SourceKeyVersionId", "SourceEncryptionAlgorithm"] {
        assert_eq!(parse(&re_encrypt, &pairs).unwrap_err(), Refusal::ParameterMissing(missing));
        pairs.push((missing, if missing == "SourceKeyVersionId" { "v" } else { "SM2PKE" }));
    }
    assert!(parse(&re_encrypt, &pairs).is_ok());
    for (action, changed, expected) in [
        ("UntagResources", ("TagKey.1", ""), Refusal::ParameterInvalid("TagKey")),
        ("TagResources", ("Tag.1.Key", ""), Refusal::ParameterInvalid("Tag")),
        ("ExportDataKey", ("WrappingKeySpec", "EC_SM2"), Refusal::ParameterInvalid("WrappingAlgorithm")),
        ("GetParametersForImport", ("WrappingKeySpec", "EC_SM2"), Refusal::ParameterInvalid("WrappingAlgorithm")),
        ("CreateKey", ("KeyUsage", "SIGN/VERIFY"), Refusal::ParameterInvalid("KeyUsage")),
        ("CreateKey", ("KeySpec", "RSA_2048"), Refusal::ParameterInvalid("EnableAutomaticRotation")),
    ] {
        let subject = of(action);
        let changed = with(subject.spec.example, changed.0, changed.1);
        assert_eq!(parse(&subject, &changed).unwrap_err(), expected, "{action}");
    }
    let untag = of("UntagResources");
    let nothing: Vec<_> = untag.spec.example.iter().copied().filter(|(name, _)| *name != "TagKey.1").collect();
    assert_eq!(parse(&untag, &nothing).unwrap_err(), Refusal::ParameterMissing("TagKey"));
    assert!(parse(&untag, &with(&nothing, "All", "true")).is_ok());
}

/// Codes of parameters that do not name them, or name another.
const SHARED_CODES: &[(&str, &str)] = &[
    ("NewDescription", "InvalidParameter.Description.Length"),
    ("AuthenticationCode1", "InvalidParameter.AuthenticationCode.Format"),
    ("AuthenticationCode2", "InvalidParameter.AuthenticationCode.Format"),
    ("AssumeRolePolicyDocument", "MalformedPolicyDocument"),
    ("NewAssumeRolePolicyDocument", "MalformedPolicyDocument"),
    // Names the place of the mistake.
    ("Policy", "InvalidParameter"),
];

/// A value over every limit is refused for every parameter, with its name: so each one is read, and each is bounded.
#[test]
fn every_parameter_is_bounded() {
    let huge = "x".repeat(33_000);
    for subject in subjects() {
        for used in subject.spec.params {
            let (action, param) = (subject.spec.name, used.param.name());
            // A list is refused under its bare name too: it would be ignored.
            for sent in [param, &sent_as(used.param)] {
                let refusal = parse(&subject, &with(subject.spec.example, sent, &huge)).unwrap_err();
                // RAM and STS have codes of their own for some.
                let code = refusal.code();
                let of_one_param = code.starts_with(&format!("InvalidParameter.{param}"));
                let is_of_its_own = of_one_param || SHARED_CODES.contains(&(param, code));
                assert!(refusal == Refusal::ParameterInvalid(param) || is_of_its_own, "{action} {param}: {refusal:?}");
            }
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
        let errors: Vec<_> = spec.refusals().iter().map(Refusal::code).collect();
        assert_eq!(errors.iter().collect::<BTreeSet<_>>().len(), errors.len(), "{}: an error twice", spec.name);
    }
    assert_eq!(jomae_api::actions::find("NoSuchAction").map(|spec| spec.name), None);
    assert_eq!(names.len(), subjects().len());
}

/// Parameters that `actions.json` does not have. There is no other difference in parameters.
const PARAMS_OF_OURS: &[(&str, &str, &str)] = &[
    ("CreateAlias", "ClientToken", "a retry makes nothing twice"),
    ("CreateKey", "ClientToken", "a retry makes nothing twice"),
    ("CreateKeyVersion", "ClientToken", "a retry makes nothing twice"),
    ("ListKeys", "Text", "to search for a part of a name, description, tag or alias"),
    ("ListKeys", "Details", "a row for each key, rather than a call for each"),
];

/// Members of answers that `actions.json` does not have.
const OUTPUT_OF_OURS: &[(&str, &str, &str)] = &[
    ("DescribeKey", "UsageStatistics", "what the key was used for"),
    ("DescribeKeyVersion", "UsageStatistics", "what the version was used for"),
    ("ListKeys", "StateCounts", "how many keys are in each state"),
    ("LookupEvents", "UnansweredNodes", "which nodes of a cluster did not answer for their logs"),
];

/// Members of answers that we never give, and why.
const OUTPUT_NOT_GIVEN: &[(&str, &str, &str)] = &[
    ("Decrypt", "CiphertextForRecipient", "the parameter Recipient is refused"),
    ("GenerateDataKey", "CiphertextForRecipient", "the parameter Recipient is refused"),
    ("AsymmetricDecrypt", "CiphertextForRecipient", "the parameter Recipient is refused"),
    ("AssumeRoleWithOIDC", "SourceIdentity", "there is no such parameter"),
];

/// Whether the exceptions name this one, which is then used up.
fn take(exceptions: &mut Vec<(&str, &str, &str)>, action: &str, name: &str) -> bool {
    let found = exceptions.iter().position(|(a, n, why)| *a == action && *n == name && !why.is_empty());
    found.map(|at| exceptions.remove(at)).is_some()
}

/// Actions that are not in the cloud's API, and why they are here.
const ACTIONS_OF_OURS: &[(&str, &str)] = &[
    ("DescribeServer", "in the cloud nobody but the vendor looks after the service"),
    ("CreatePasskey", "passkeys have no actions in RAM 2015-05-01"),
    ("ListPasskeys", "the same"),
    ("DeletePasskey", "the same"),
];

/// Whether an action is one of ours; of those no public description exists.
fn is_ours(spec: &ActionSpec) -> bool {
    ACTIONS_OF_OURS.iter().any(|(name, why)| *name == spec.name && !why.is_empty())
}

#[test]
fn the_public_description_agrees() {
    let mut described = described();
    let (mut params_of_ours, mut output_of_ours) = (PARAMS_OF_OURS.to_vec(), OUTPUT_OF_OURS.to_vec());
    let mut not_given = OUTPUT_NOT_GIVEN.to_vec();
    for subject in subjects() {
        let (spec, name) = (&subject.spec, subject.spec.name);
        if is_ours(spec) {
            assert!(!described.contains_key(&(spec.api(), name.to_owned())), "{name} is a public action after all");
            continue;
        }
        let action = subject.described(&mut described);
        let mut ours: BTreeMap<_, _> = spec.params.iter().map(|used| (used.param.name(), used.required)).collect();
        for used in spec.params {
            let of_ours = take(&mut params_of_ours, name, used.param.name());
            assert_eq!(used.param.extension(), of_ours, "{name} {}", used.param.name());
            if of_ours {
                assert_eq!(ours.remove(used.param.name()), Some(false), "{name}: an extension is never required");
            }
        }
        let theirs: BTreeMap<_, _> =
            action.request.iter().map(|param| (param.name.as_str(), param.required.as_bool().unwrap())).collect();
        assert_eq!(ours, theirs, "{name}");
        let mut output: BTreeSet<&str> = subject.answer.iter().map(|member| member.name).collect();
        assert_eq!(output.len(), subject.answer.len(), "{name}: a member twice");
        output.retain(|member| !take(&mut output_of_ours, name, member));
        output.insert("RequestId");
        for member in action.response.as_ref().unwrap() {
            if take(&mut not_given, name, member) {
                assert!(output.insert(member), "{name} gives {member} after all");
            }
        }
        let members: BTreeSet<&str> = action.response.as_ref().unwrap().iter().map(String::as_str).collect();
        assert_eq!(output, members, "{name}");
        assert_eq!(spec.effect == Effect::Write, action.mutates, "{name}");
    }
    assert!([params_of_ours, output_of_ours, not_given].concat().is_empty(), "exceptions that are none");
    described.retain(|(api, _), _| *api != Api::Kms);
    assert_eq!(described.len(), 0, "{:?} are not offered", described.keys());
}

#[test]
fn permissions_have_their_public_names() {
    let mut described = described();
    for subject in subjects() {
        let name = subject.spec.name;
        let (_, needs) = parse(&subject, subject.spec.example).unwrap();
        assert!(!needs.is_empty(), "{name}");
        let asked: BTreeSet<&str> = needs.iter().map(|(ram_action, _)| *ram_action).collect();
        if is_ours(&subject.spec) {
            let api = if subject.spec.api() == Api::Kms { "kms" } else { "ram" };
            assert_eq!(asked, BTreeSet::from([format!("{api}:{name}").as_str()]), "{name}");
            continue;
        }
        let action = subject.described(&mut described);
        let public: BTreeSet<&str> = match &action.ram_action {
            serde_json::Value::Null => {
                assert!(needs.iter().all(|(_, signature_only)| *signature_only), "{name} has no public permission");
                continue;
            }
            serde_json::Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
            one => [one.as_str().unwrap()].into(),
        };
        assert_eq!(asked, public, "{name}");
        assert!(needs.iter().all(|(_, signature_only)| !signature_only), "{name}");
    }
}

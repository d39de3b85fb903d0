//! Every action × every kind of principal, over TLS against the real server: who may, and what who may not is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test; the lint does not see that its helpers are tests too"
)]

mod things;

use jomae_api::{
    action::{ActionSpec, Api},
    actions::ACTIONS,
    describe,
};
use jomae_tests::{
    Server, Site, binary,
    party::{Line, Party},
    random,
};

use things::{Maker, Prepared, trust_of};

/// Needs no permission, only a right signature.
const OPEN_TO_ALL: [&str; 2] = ["DescribeRegions", "GetCallerIdentity"];
/// Answers nobody with a success.
const NEVER_DONE: &str = "OpenKmsService";
/// Answers those accounts that the configuration names: here it names none.
const OF_OPERATORS: &str = "DescribeServer";
/// Shows no signature; its own tests are with the tokens of providers.
const UNSIGNED: &str = "AssumeRoleWithOIDC";

struct Stage<'s> {
    line: Line<'s>,
    root: Party,
    account: String,
    /// The root of another account.
    stranger: Party,
}

/// Whom an action is tried with, and what must come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Root,
    UserWithExactlyThis,
    UserWithAllOthers,
    AnotherAccount,
    Session,
    NarrowedSession,
    ExpiredToken,
    WrongToken,
    InactiveKey,
    DisabledKey,
    DeletedKey,
}

const KINDS: [Kind; 11] = [
    Kind::Root,
    Kind::UserWithExactlyThis,
    Kind::UserWithAllOthers,
    Kind::AnotherAccount,
    Kind::Session,
    Kind::NarrowedSession,
    Kind::ExpiredToken,
    Kind::WrongToken,
    Kind::InactiveKey,
    Kind::DisabledKey,
    Kind::DeletedKey,
];

fn actions() -> impl Iterator<Item = &'static ActionSpec> {
    ACTIONS.iter().copied().filter(|spec| spec.name != UNSIGNED)
}

/// What RAM calls the permissions that a call of the action needs.
fn permissions(spec: &ActionSpec) -> Vec<&'static str> {
    let described = describe::ALL.iter().find(|described| described.spec.name == spec.name).unwrap();
    described.needs().unwrap().into_iter().filter_map(|need| need.ram_action).collect()
}

impl<'s> Stage<'s> {
    fn new(server: &'s Server) -> Self {
        let root = Party::root(server);
        let mut line = Line::new(server);
        line.shift_secs = line.behind_secs();
        let identity = line.ok(&root, "GetCallerIdentity", &[]);
        let account = identity["AccountId"].as_str().unwrap().to_owned();
        let data = server.data.to_str().unwrap();
        // Each stage has a stranger of its own, on one server.
        let name = format!("other {}", jomae_tests::random::word(8));
        let made = server.jomae(&["account", "create", "--name", &name, "--data-dir", data, "--output", "json"]);
        let made = made.ok().json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let stranger = Party { id: text("AccessKeyId"), secret: text("AccessKeySecret"), token: None };
        Self { line, root, account, stranger }
    }

    fn prepare(&mut self, action: &str) -> Prepared {
        Maker { line: &mut self.line, root: &self.root, account: &self.account }.prepare(action)
    }

    fn ok(&mut self, action: &str, form: &[(&str, &str)]) -> serde_json::Value {
        self.line.ok(&self.root, action, form)
    }

    fn policy(&mut self, document: &str) -> String {
        let name = format!("policy-{}", random::word(12));
        self.ok("CreatePolicy", &[("PolicyName", &name), ("PolicyDocument", document)]);
        name
    }

    /// A user with one policy.
    fn user(&mut self, document: &str) -> (String, Party) {
        let name = format!("caller-{}", random::word(12));
        let policy = self.policy(document);
        self.ok("CreateUser", &[("UserName", &name)]);
        self.ok("AttachPolicyToUser", &[("PolicyType", "Custom"), ("PolicyName", &policy), ("UserName", &name)]);
        let party = Party::of_access_key(&self.ok("CreateAccessKey", &[("UserName", &name)]));
        (name, party)
    }

    /// A session of a role that may do everything, narrowed or not.
    fn session(&mut self, narrowing: Option<&str>) -> Party {
        let role = format!("caller-{}", random::word(12));
        let trust = trust_of(&self.account);
        self.ok("CreateRole", &[("RoleName", &role), ("AssumeRolePolicyDocument", &trust)]);
        let all = [("PolicyType", "System"), ("PolicyName", "AdministratorAccess"), ("RoleName", &role)];
        self.ok("AttachPolicyToRole", &all);
        let (_, assumer) = self.user(&allow(&["sts:AssumeRole"]));
        let arn = format!("acs:ram::{}:role/{role}", self.account);
        let mut form = vec![("RoleArn", arn.as_str()), ("RoleSessionName", "session")];
        form.extend(narrowing.map(|policy| ("Policy", policy)));
        Party::of_credentials(&self.line.ok(&assumer, "AssumeRole", &form))
    }

    /// Whether an answer to the stranger shows anything of the first account that the stranger has not said itself.
    fn shows_the_first(&self, spec: &ActionSpec, prepared: &Prepared, body: &str) -> bool {
        if spec.name == "LookupEvents" {
            let answer: serde_json::Value = serde_json::from_str(body).unwrap();
            let events = answer["Events"].as_array().unwrap();
            return events.iter().any(|event| event["userIdentity"]["accountId"] == self.account.as_str());
        }
        let said = |text: &str| prepared.form.iter().any(|(_, value)| value.contains(text));
        let hidden = prepared.hidden.iter().chain([&self.account]);
        hidden.filter(|text| !(makes_by_name(spec.name) && said(text))).any(|text| body.contains(text.as_str()))
    }

    fn try_with(&mut self, kind: Kind, spec: &ActionSpec, parties: &Parties) -> (String, String, Prepared) {
        let mut prepared = self.prepare(spec.name);
        let bring_into = match kind {
            Kind::DisabledKey => Some(("DisableKey", vec![])),
            Kind::DeletedKey => Some(("ScheduleKeyDeletion", vec![("PendingWindowInDays", "7")])),
            _ => None,
        };
        if let (Some((change, more)), Some(key)) = (bring_into, prepared.key.clone()) {
            let root = self.root.clone();
            let asked = [&[("KeyId", key.as_str())][..], &more].concat();
            // A key that waits for its material or its deletion cannot be disabled: then the action meets it as it is.
            if self.line.call(&root, change, &asked).status != 200 {
                prepared.key = None;
            }
        }
        let exact = || allow(&permissions(spec));
        let party = match kind {
            Kind::Root => self.root.clone(),
            Kind::UserWithExactlyThis | Kind::DisabledKey | Kind::DeletedKey => self.user(&exact()).1,
            Kind::UserWithAllOthers => self.user(&allow_all_but(&permissions(spec))).1,
            Kind::AnotherAccount => self.stranger.clone(),
            Kind::Session => parties.session.clone(),
            Kind::NarrowedSession => {
                let narrowing = allow_all_but(&permissions(spec));
                self.session(Some(&narrowing))
            }
            Kind::ExpiredToken => parties.expired.clone(),
            Kind::WrongToken => Party { token: parties.other_session.token.clone(), ..parties.session.clone() },
            Kind::InactiveKey => parties.inactive.clone(),
        };
        let form: Vec<_> = prepared.form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = self.line.call(&party, spec.name, &form);
        let outcome =
            if answer.status == 200 { "200".to_owned() } else { format!("{} {}", answer.status, answer.code()) };
        (outcome, String::from_utf8_lossy(&answer.body).into_owned(), prepared)
    }
}

/// Callers that are the same for every action.
struct Parties {
    session: Party,
    other_session: Party,
    expired: Party,
    inactive: Party,
}

const EARLIER_SECS: i64 = 7200;

/// Credentials that a server has given two hours ago: its clock was behind, and is right from now on.
fn expired(site: &Site) -> Party {
    let mut server = site
        .launch()
        .variable("LD_PRELOAD", &binary::faketime())
        .variable("FAKETIME", &format!("-{EARLIER_SECS}s"))
        .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start();
    let mut stage = Stage::new(&server);
    let session = stage.session(None);
    assert_eq!(stage.line.outcome(&session, "GetCallerIdentity", &[]), "200", "then it was good");
    assert_eq!(server.stop(), Some(0));
    session
}

fn allow(permissions: &[&str]) -> String {
    // A statement must name something: what needs no permission is called with a permission for nothing.
    let named = if permissions.is_empty() { vec!["none:None"] } else { permissions.to_vec() };
    serde_json::json!({"Version": "1", "Statement": [{"Effect": "Allow", "Action": named, "Resource": "*"}]})
        .to_string()
}

fn allow_all_but(permissions: &[&str]) -> String {
    let named = if permissions.is_empty() { vec!["none:None"] } else { permissions.to_vec() };
    serde_json::json!({"Version": "1", "Statement": [{"Effect": "Allow", "NotAction": named, "Resource": "*"}]})
        .to_string()
}

/// What a call that is allowed ends with.
fn success(spec: &ActionSpec) -> String {
    match spec.name {
        NEVER_DONE => "400 Forbidden.Opened".to_owned(),
        OF_OPERATORS => "403 Forbidden.NotOperator".to_owned(),
        // Only a browser can make one.
        "DeletePasskey" => "404 EntityNotExist.User.Passkey".to_owned(),
        _ => "200".to_owned(),
    }
}

fn denied(spec: &ActionSpec) -> &'static str {
    if spec.api() == Api::Kms { "403 Forbidden.NoPermission" } else { "403 NoPermission" }
}

fn expected(kind: Kind, spec: &ActionSpec, prepared: &Prepared) -> String {
    let open = OPEN_TO_ALL.contains(&spec.name);
    let state = |refusal: Option<jomae_api::error::Refusal>| match refusal {
        Some(refusal) if prepared.key.is_some() => format!("{} {}", refusal.status(), refusal.code()),
        _ => success(spec),
    };
    // It is about the caller alone: users who have no login profile here, and others, who never have one.
    if matches!(spec.name, "ChangePassword" | "CreatePasskey") {
        match kind {
            Kind::UserWithExactlyThis | Kind::UserWithAllOthers | Kind::DisabledKey | Kind::DeletedKey => {
                return "404 EntityNotExist.User.LoginProfile".to_owned();
            }
            Kind::Root | Kind::Session | Kind::NarrowedSession => return "400 NotSupport.Account".to_owned(),
            _ => {}
        }
    }
    match kind {
        Kind::Root if spec.name == "AssumeRole" => denied(spec).to_owned(),
        Kind::Root | Kind::UserWithExactlyThis | Kind::Session => success(spec),
        Kind::UserWithAllOthers | Kind::NarrowedSession if open => success(spec),
        Kind::UserWithAllOthers | Kind::NarrowedSession => denied(spec).to_owned(),
        Kind::ExpiredToken => "400 InvalidSecurityToken.Expired".to_owned(),
        Kind::WrongToken => "400 InvalidSecurityToken.MismatchWithAccessKey".to_owned(),
        Kind::InactiveKey => "400 InvalidAccessKeyId.Inactive".to_owned(),
        Kind::DisabledKey => state(spec.states.disabled),
        Kind::DeletedKey => state(spec.states.pending_deletion),
        Kind::AnotherAccount => unreachable!("checked by what it finds"),
    }
}

#[test]
fn every_action_and_every_kind_of_principal() {
    let site = Site::default();
    let expired = expired(&site);
    // One address makes thousands of calls.
    let server = site.launch().config("[limits]\nmanagement_per_sec = 0\n").start();
    let mut stage = Stage::new(&server);
    let (inactive_user, inactive) = stage.user(&allow(&["kms:*"]));
    let off = [("UserName", inactive_user.as_str()), ("UserAccessKeyId", inactive.id.as_str()), ("Status", "Inactive")];
    stage.ok("UpdateAccessKey", &off);
    let parties = Parties { session: stage.session(None), other_session: stage.session(None), expired, inactive };
    let mut wrong = Vec::new();
    let mut tried = 0;
    for spec in actions() {
        for kind in KINDS {
            let (outcome, body, prepared) = stage.try_with(kind, spec, &parties);
            tried += 1;
            if kind == Kind::AnotherAccount {
                // It succeeds where there is nothing to name, and then shows nothing of the first account.
                let named = !prepared.form.is_empty() && !makes_by_name(spec.name);
                let refused = outcome != "200";
                if named != refused && ![NEVER_DONE, OF_OPERATORS].contains(&spec.name)
                    || stage.shows_the_first(spec, &prepared, &body)
                {
                    wrong.push(format!("{} by {kind:?}: {outcome} {body}", spec.name));
                }
                continue;
            }
            let expected = expected(kind, spec, &prepared);
            if outcome != expected {
                wrong.push(format!("{} by {kind:?}: {outcome}, not {expected}", spec.name));
            }
        }
    }
    assert_eq!(tried, actions().count() * KINDS.len());
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Makes something of the caller's own under a name that it brings along.
fn makes_by_name(action: &str) -> bool {
    matches!(action, "CreateUser" | "CreateGroup" | "CreateRole" | "CreatePolicy" | "CreateVirtualMFADevice")
}

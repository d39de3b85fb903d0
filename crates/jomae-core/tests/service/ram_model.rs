//! Random changes of RAM against a model of it, one after another and many at once: each is one commit with its event,
//! and what is counted or listed twice never differs.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use jomae_api::limits::{RAM_ACCESS_KEYS_MAX, RAM_POLICY_VERSIONS_MAX};
use jomae_core::{
    ram::{
        epoch::EpochRecord,
        record::{
            AttachedRecord, CountsRecord, EntityRecord, GroupRecord, MemberRecord, NameRecord, PolicyRecord,
            PolicyType, RoleRecord, UserRecord,
            path::{self, Entity},
        },
    },
    record::{AccessKeyRecord, path as core_path},
    store::Store,
    stored::Record,
    tx::Tx,
};
use proptest::prelude::*;

use crate::common::{Client, World, allow, code_of, trust};

/// A policy: its kind and its name.
type PolicyOf = (&'static str, String);

#[derive(Clone, Default)]
struct User {
    policies: BTreeSet<PolicyOf>,
    groups: BTreeSet<u32>,
    keys: Vec<String>,
}

#[derive(Clone, Default)]
struct Group {
    /// Groups keep their number when they are renamed.
    number: u32,
    policies: BTreeSet<PolicyOf>,
}

#[derive(Clone)]
struct Versions {
    default: usize,
    made: usize,
    kept: BTreeSet<usize>,
}

#[derive(Default)]
struct Model {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
    groups_made: u32,
    roles: BTreeMap<String, BTreeSet<PolicyOf>>,
    policies: BTreeMap<String, Versions>,
}

/// What is done: which action, to whom, with what, and how.
#[derive(Clone, Copy, Debug)]
struct Step {
    action: u8,
    one: u8,
    other: u8,
    flag: bool,
}

const ACTIONS: u8 = 20;

fn step() -> impl Strategy<Value = Step> {
    (0..ACTIONS, 0..3u8, 0..3u8, any::<bool>()).prop_map(|(action, one, other, flag)| Step { action, one, other, flag })
}

fn policy_of(step: Step) -> PolicyOf {
    if step.other == 0 { ("System", "AliyunKMSFullAccess".to_owned()) } else { ("Custom", format!("p{}", step.other)) }
}

/// Sends it; what it answers, and the id of an access key that it has made.
fn send(client: Client<'_>, step: Step, keys: &[String]) -> (String, Option<String>) {
    let Step { action, one, other, flag } = step;
    let (u, g, r, p) = (format!("u{one}"), format!("g{one}"), format!("r{one}"), format!("p{one}"));
    let (u2, g2) = (format!("u{other}"), format!("g{other}"));
    let yes = flag.to_string();
    let document = allow(&["kms:Encrypt"], "*");
    let trusting = trust(&[&format!("acs:ram::{}:root", client.credentials.account)]);
    let version = format!("v{}", other + 1);
    let (kind, policy) = policy_of(step);
    let attach = |holder: &'static str, name: &str| {
        vec![("PolicyType", kind.to_owned()), ("PolicyName", policy.clone()), (holder, name.to_owned())]
    };
    let key = keys.get(usize::from(flag)).cloned().unwrap_or_else(|| "LTAInone".to_owned());
    let verb = if flag { "Attach" } else { "Detach" };
    let word = if flag { "To" } else { "From" };
    let (name, params): (String, Vec<(&str, String)>) = match action {
        0 | 1 => ("CreateUser".into(), vec![("UserName", u)]),
        2 => ("UpdateUser".into(), vec![("UserName", u), ("NewUserName", u2)]),
        3 => ("DeleteUser".into(), vec![("UserName", u)]),
        4 | 5 => ("CreateGroup".into(), vec![("GroupName", g)]),
        6 => ("UpdateGroup".into(), vec![("GroupName", g), ("NewGroupName", g2)]),
        7 => ("DeleteGroup".into(), vec![("GroupName", g)]),
        8 | 9 => {
            let name = if flag || action == 8 { "AddUserToGroup" } else { "RemoveUserFromGroup" };
            (name.into(), vec![("UserName", u), ("GroupName", g2)])
        }
        10 => ("CreateRole".into(), vec![("RoleName", r), ("AssumeRolePolicyDocument", trusting)]),
        11 => ("DeleteRole".into(), vec![("RoleName", r)]),
        12 => ("CreatePolicy".into(), vec![("PolicyName", p), ("PolicyDocument", document)]),
        13 => ("DeletePolicy".into(), vec![("PolicyName", p), ("CascadingDelete", yes)]),
        14 => {
            ("CreatePolicyVersion".into(), vec![("PolicyName", p), ("PolicyDocument", document), ("SetAsDefault", yes)])
        }
        15 if flag => ("DeletePolicyVersion".into(), vec![("PolicyName", p), ("VersionId", version)]),
        15 => ("SetDefaultPolicyVersion".into(), vec![("PolicyName", p), ("VersionId", version)]),
        16 => (format!("{verb}Policy{word}User"), attach("UserName", &u)),
        17 => (format!("{verb}Policy{word}Group"), attach("GroupName", &g)),
        18 => (format!("{verb}Policy{word}Role"), attach("RoleName", &r)),
        _ if other == 0 => ("CreateAccessKey".into(), vec![("UserName", u)]),
        _ => ("DeleteAccessKey".into(), vec![("UserName", u), ("UserAccessKeyId", key)]),
    };
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = client.call(&name, &params);
    let made = answer.as_ref().ok().and_then(|answer| answer["AccessKey"]["AccessKeyId"].as_str().map(str::to_owned));
    (code_of(&answer), made)
}

type Outcome = Result<(), String>;

fn gone(kind: &str) -> String {
    format!("404 EntityNotExist.{kind}")
}

fn exists(kind: &str) -> String {
    format!("409 EntityAlreadyExists.{kind}")
}

fn conflict(kind: &str) -> String {
    format!("409 DeleteConflict.{kind}")
}

fn unless(refused: bool, code: String) -> Outcome {
    if refused { Err(code) } else { Ok(()) }
}

impl Model {
    /// Does it; what it must answer.
    fn apply(&mut self, step: Step, made: Option<String>) -> Outcome {
        let Step { action, one, other, flag } = step;
        let (u, g, r, p) = (format!("u{one}"), format!("g{one}"), format!("r{one}"), format!("p{one}"));
        let (u2, g2) = (format!("u{other}"), format!("g{other}"));
        match action {
            0 | 1 => {
                unless(self.users.contains_key(&u), exists("User"))?;
                self.users.insert(u, User::default());
            }
            2 => {
                unless(!self.users.contains_key(&u), gone("User"))?;
                unless(u != u2 && self.users.contains_key(&u2), exists("User"))?;
                let user = self.users.remove(&u).unwrap();
                self.users.insert(u2, user);
            }
            3 => {
                let user = self.users.get(&u).ok_or(gone("User"))?;
                unless(!user.keys.is_empty(), conflict("User.AccessKey"))?;
                unless(!user.policies.is_empty(), conflict("User.Policy"))?;
                unless(!user.groups.is_empty(), conflict("User.Group"))?;
                self.users.remove(&u);
            }
            4 | 5 => {
                unless(self.groups.contains_key(&g), exists("Group"))?;
                self.groups_made += 1;
                self.groups.insert(g, Group { number: self.groups_made, policies: BTreeSet::new() });
            }
            6 => {
                unless(!self.groups.contains_key(&g), gone("Group"))?;
                unless(g != g2 && self.groups.contains_key(&g2), exists("Group"))?;
                let group = self.groups.remove(&g).unwrap();
                self.groups.insert(g2, group);
            }
            7 => {
                let group = self.groups.get(&g).ok_or(gone("Group"))?;
                let used = self.users.values().any(|user| user.groups.contains(&group.number));
                unless(used, conflict("Group.User"))?;
                unless(!group.policies.is_empty(), conflict("Group.Policy"))?;
                self.groups.remove(&g);
            }
            8 | 9 => {
                let user = self.users.get_mut(&u).ok_or(gone("User"))?;
                let number = self.groups.get(&g2).ok_or(gone("Group"))?.number;
                if flag || action == 8 {
                    unless(!user.groups.insert(number), exists("User.Group"))?;
                } else {
                    unless(!user.groups.remove(&number), gone("User.Group"))?;
                }
            }
            10 => {
                unless(self.roles.contains_key(&r), exists("Role"))?;
                self.roles.insert(r, BTreeSet::new());
            }
            11 => {
                let policies = self.roles.get(&r).ok_or(gone("Role"))?;
                unless(!policies.is_empty(), conflict("Role.Policy"))?;
                self.roles.remove(&r);
            }
            12 => {
                unless(self.policies.contains_key(&p), exists("Policy"))?;
                self.policies.insert(p, Versions { default: 1, made: 1, kept: [1].into() });
            }
            13 => self.delete_policy(&p, flag)?,
            14 => {
                let versions = self.policies.get_mut(&p).ok_or(gone("Policy"))?;
                unless(versions.kept.len() >= RAM_POLICY_VERSIONS_MAX, "409 LimitExceeded.Policy.Version".into())?;
                versions.made += 1;
                versions.kept.insert(versions.made);
                if flag {
                    versions.default = versions.made;
                }
            }
            15 => {
                let version = usize::from(other) + 1;
                let versions = self.policies.get_mut(&p).ok_or(gone("Policy"))?;
                unless(!versions.kept.contains(&version), gone("Policy.Version"))?;
                if flag {
                    unless(versions.default == version, conflict("Policy.Version.Default"))?;
                    versions.kept.remove(&version);
                } else {
                    versions.default = version;
                }
            }
            16..=18 => self.change_policies(step)?,
            _ => {
                let user = self.users.get_mut(&u).ok_or(gone("User"))?;
                if other == 0 {
                    unless(user.keys.len() >= RAM_ACCESS_KEYS_MAX, "409 LimitExceeded.User.AccessKey".into())?;
                    user.keys.push(made.unwrap());
                } else {
                    unless(user.keys.len() <= usize::from(flag), gone("User.AccessKey"))?;
                    user.keys.remove(usize::from(flag));
                }
            }
        }
        Ok(())
    }

    fn delete_policy(&mut self, name: &str, cascading: bool) -> Outcome {
        let versions = self.policies.get(name).ok_or(gone("Policy"))?;
        let policy: PolicyOf = ("Custom", name.to_owned());
        unless(self.users.values().any(|user| user.policies.contains(&policy)), conflict("Policy.User"))?;
        unless(self.groups.values().any(|group| group.policies.contains(&policy)), conflict("Policy.Group"))?;
        unless(self.roles.values().any(|role| role.contains(&policy)), conflict("Policy.Role"))?;
        unless(versions.kept.len() > 1 && !cascading, conflict("Policy.Version"))?;
        self.policies.remove(name);
        Ok(())
    }

    fn change_policies(&mut self, step: Step) -> Outcome {
        let one = step.one;
        let (kind, held) = match step.action {
            16 => ("User", self.users.get_mut(&format!("u{one}")).map(|user| &mut user.policies)),
            17 => ("Group", self.groups.get_mut(&format!("g{one}")).map(|group| &mut group.policies)),
            _ => ("Role", self.roles.get_mut(&format!("r{one}"))),
        };
        let held = held.ok_or(gone(kind))?;
        let policy = policy_of(step);
        unless(policy.0 == "Custom" && !self.policies.contains_key(&policy.1), gone("Policy"))?;
        let kind = format!("{kind}.Policy");
        if step.flag { unless(!held.insert(policy), exists(&kind)) } else { unless(!held.remove(&policy), gone(&kind)) }
    }
}

fn all<R: Record>(tx: &Tx<'_>, prefix: &str) -> Vec<(String, R)> {
    let rows = tx.list::<R>(prefix, None, 1000).unwrap();
    rows.into_iter().map(|(at, record)| (at.as_str().strip_prefix(prefix).unwrap().to_owned(), record)).collect()
}

/// Names lead to records of these names, and to all of them.
fn named<R: EntityRecord>(world: &World, name_of: fn(&R) -> &str) -> Vec<R> {
    let tx = world.service.kms.vault.reading();
    let account = &world.alice.account;
    let names = all::<NameRecord>(&tx, &path::names(account, R::KIND));
    let records = all::<R>(&tx, &format!("ram/{account}/{}/", R::KIND.as_str()));
    let by_name: BTreeSet<(String, String)> = names.into_iter().map(|(name, record)| (name, record.id)).collect();
    let by_id = records.iter().map(|(id, record)| {
        assert_eq!(id, record.id());
        (name_of(record).to_owned(), id.clone())
    });
    assert_eq!(by_name, by_id.collect());
    records.into_iter().map(|(_, record)| record).collect()
}

/// Counts again whatever is kept twice.
fn recount(world: &World) {
    let account = &world.alice.account;
    let mut tx = world.service.kms.vault.reading();
    let users = named::<UserRecord>(world, |user| &user.name);
    let groups = named::<GroupRecord>(world, |group| &group.name);
    let roles = named::<RoleRecord>(world, |role| &role.name);
    let policies = all::<PolicyRecord>(&tx, &path::policies(account));
    let count = |rows: usize| u32::try_from(rows).unwrap();
    let counted = CountsRecord {
        users: count(users.len()),
        groups: count(groups.len()),
        roles: count(roles.len()),
        policies: count(policies.len()),
    };
    assert_eq!(crate::ram_policies::counts(world), counted);

    let members = all::<MemberRecord>(&tx, &format!("ram/{account}/member/"));
    let listed: BTreeSet<String> = members.into_iter().map(|(at, _)| at).collect();
    let joined = users.iter().flat_map(|user| user.groups.iter().map(move |(group, _)| format!("{group}/{}", user.id)));
    assert_eq!(listed, joined.collect());
    for group in &groups {
        let in_it = listed.iter().filter(|at| at.starts_with(&group.id)).count();
        assert_eq!(group.users, count(in_it), "{}", group.name);
    }
    assert!(listed.iter().all(|at| groups.iter().any(|group| at.starts_with(&group.id))));

    let mut held = BTreeSet::new();
    let mut attached_to = |kind: Entity, id: &str, policies: &[jomae_core::ram::record::Attached]| {
        for policy in policies {
            held.insert(format!("{}/{}/{}/{id}", policy.kind.as_str(), policy.name, kind.as_str()));
        }
    };
    for user in &users {
        attached_to(Entity::User, &user.id, &user.policies);
    }
    for group in &groups {
        attached_to(Entity::Group, &group.id, &group.policies);
    }
    for role in &roles {
        attached_to(Entity::Role, &role.id, &role.policies);
    }
    let indexed = all::<AttachedRecord>(&tx, &format!("ram/{account}/attached/"));
    assert_eq!(indexed.into_iter().map(|(at, _)| at).collect::<BTreeSet<_>>(), held);
    for (name, policy) in &policies {
        assert_eq!(*name, policy.name);
        let start = format!("{}/{name}/", PolicyType::Custom.as_str());
        let attached = held.iter().filter(|at| at.starts_with(&start)).count();
        assert_eq!(policy.attachments, count(attached), "{name}");
        policy.compiled().unwrap();
    }
    let of_nothing = |at: &String| at.starts_with("Custom/") && !policies.iter().any(|(name, _)| at.contains(name));
    assert!(!held.iter().any(of_nothing));

    let keys = all::<AccessKeyRecord>(&tx, core_path::ACCESS_KEYS).into_iter();
    let owned = keys.filter_map(|(id, record)| Some((record.stored.user?, id)));
    let known = users.iter().flat_map(|user| user.access_keys.iter().map(|id| (user.id.clone(), id.clone())));
    assert_eq!(owned.collect::<BTreeSet<_>>(), known.collect());
    assert!(tx.get::<EpochRecord>(&path::epoch(account)).unwrap().is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn as_the_model_has_it(steps in prop::collection::vec(step(), 1..150)) {
        let world = World::new();
        world.alice().ok("CreateUser", &[("UserName", "always")]);
        let (mut model, mut changes) = (Model::default(), 1);
        for step in steps {
            let revision = world.store.revision().unwrap();
            let (waiting, events) = (world.paths_with("sys/outbox/").len(), world.audit.len());
            let keys = model.users.get(&format!("u{}", step.one)).map(|user| user.keys.clone()).unwrap_or_default();
            let (answer, made) = send(world.alice(), step, &keys);
            let expected = model.apply(step, made);
            let done = u64::from(expected.is_ok());
            prop_assert_eq!(&answer, &expected.err().unwrap_or_else(|| "200".to_owned()), "{:?}", step);
            // One commit, which holds the event too; a refusal leaves its event and no commit.
            prop_assert_eq!(world.store.revision().unwrap().0, revision.0 + done);
            prop_assert_eq!(world.paths_with("sys/outbox/").len() as u64, waiting as u64 + done);
            prop_assert_eq!(world.audit.len(), events + 1);
            changes += done;
        }
        recount(&world);
        let mut tx = world.service.kms.vault.reading();
        let epoch = tx.get::<EpochRecord>(&path::epoch(&world.alice.account)).unwrap().unwrap();
        prop_assert_eq!(epoch.changes, changes);
    }
}

#[test]
fn many_at_once() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let world = World::new();
    world.alice().ok("CreateUser", &[("UserName", "always")]);
    for _ in 0..6 {
        let lists: Vec<Vec<Step>> = (0..4)
            .map(|_| prop::collection::vec(step(), 60).new_tree(&mut runner).unwrap())
            .map(|tree| proptest::strategy::ValueTree::current(&tree))
            .collect();
        let done = |code: &str| code == "200" || code.starts_with("404") || code.starts_with("409");
        thread::scope(|scope| {
            for steps in &lists {
                let world = &world;
                scope.spawn(move || {
                    let mut keys = Vec::new();
                    for step in steps {
                        let (code, made) = send(world.alice(), *step, &keys);
                        assert!(done(&code), "{step:?}: {code}");
                        keys.extend(made);
                        keys.reverse();
                    }
                });
            }
        });
        recount(&world);
    }
}

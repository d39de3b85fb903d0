//! Users, their policies and their access keys, in the same way as keys.

use std::collections::BTreeMap;

use jomae_client::api::CallError;
use jomae_tests::{Refused, random};
use serde_json::Value;

use super::{
    Unanswered,
    audit::AuditTrail,
    load::Calls,
    verify::{ask, try_ask},
};

/// Live users of a lane, policies of a user, access keys of a user (RAM's own limit).
const USERS_MAX: usize = 5;
const POLICIES_MAX: usize = 5;
const ACCESS_KEYS_MAX: usize = 2;

const POLICY: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}]}"#;

/// A policy, attached to its user at most once.
pub struct Policy {
    name: String,
    attached: bool,
    was_attached: bool,
}

pub struct AccessKey {
    id: String,
    /// None if the answer that held it never came.
    secret: Option<String>,
    active: bool,
}

/// A user as its last answered call left it.
pub struct User {
    name: String,
    gone: bool,
    policies: Vec<Policy>,
    keys: Vec<AccessKey>,
    /// Deleted access keys: what they were must not sign any more.
    old_keys: Vec<AccessKey>,
    /// The last round in which it was changed.
    round: u64,
}

/// A change that one call makes; users, policies and access keys by their place.
#[derive(Clone, Debug)]
pub enum Change {
    CreateUser { name: String },
    DeleteUser { user: usize },
    CreatePolicy { user: usize, name: String },
    DeletePolicy { user: usize, policy: usize },
    Attach { user: usize, policy: usize },
    Detach { user: usize, policy: usize },
    CreateKey { user: usize },
    SwitchKey { user: usize, key: usize, active: bool },
    DeleteKey { user: usize, key: usize },
}

#[derive(Default)]
pub struct People {
    users: Vec<User>,
    /// How often each change was done, by what its event says.
    done: BTreeMap<String, u64>,
}

impl People {
    /// A change that the model says is possible.
    pub fn choose(&self) -> Change {
        let live: Vec<usize> = (0..self.users.len()).filter(|user| !self.users[*user].gone).collect();
        let mut possible = Vec::new();
        if live.len() < USERS_MAX {
            possible.push(Change::CreateUser { name: format!("crash-{}", random::word(16)) });
        }
        if !live.is_empty() {
            self.changes_of(*random::pick(&live), &mut possible);
        }
        random::pick(&possible).clone()
    }

    fn changes_of(&self, user: usize, possible: &mut Vec<Change>) {
        let User { policies, keys, .. } = &self.users[user];
        if policies.len() < POLICIES_MAX {
            possible.push(Change::CreatePolicy { user, name: format!("crash-{}", random::word(16)) });
        }
        possible.extend(policies.iter().enumerate().map(|(policy, known)| match known {
            Policy { attached: true, .. } => Change::Detach { user, policy },
            Policy { was_attached: true, .. } => Change::DeletePolicy { user, policy },
            Policy { .. } => Change::Attach { user, policy },
        }));
        if keys.len() < ACCESS_KEYS_MAX {
            possible.push(Change::CreateKey { user });
        }
        for (key, known) in keys.iter().enumerate() {
            possible.push(Change::SwitchKey { user, key, active: !known.active });
            possible.push(Change::DeleteKey { user, key });
        }
        if keys.is_empty() && policies.is_empty() {
            possible.push(Change::DeleteUser { user });
        }
    }

    /// The call that makes a change.
    fn call(&self, change: &Change) -> (&'static str, Vec<(&'static str, String)>) {
        let name = |user: &usize| ("UserName", self.users[*user].name.clone());
        let policy = |user: &usize, policy: &usize| ("PolicyName", self.users[*user].policies[*policy].name.clone());
        let key = |user: &usize, key: &usize| ("UserAccessKeyId", self.users[*user].keys[*key].id.clone());
        let custom = || ("PolicyType", "Custom".to_owned());
        match change {
            Change::CreateUser { name } => ("CreateUser", vec![("UserName", name.clone())]),
            Change::DeleteUser { user } => ("DeleteUser", vec![name(user)]),
            Change::CreatePolicy { name, .. } => {
                ("CreatePolicy", vec![("PolicyName", name.clone()), ("PolicyDocument", POLICY.to_owned())])
            }
            Change::DeletePolicy { user, policy: at } => ("DeletePolicy", vec![policy(user, at)]),
            Change::Attach { user, policy: at } => ("AttachPolicyToUser", vec![custom(), policy(user, at), name(user)]),
            Change::Detach { user, policy: at } => {
                ("DetachPolicyFromUser", vec![custom(), policy(user, at), name(user)])
            }
            Change::CreateKey { user } => ("CreateAccessKey", vec![name(user)]),
            Change::SwitchKey { user, key: at, active } => {
                let status = if *active { "Active" } else { "Inactive" };
                ("UpdateAccessKey", vec![name(user), key(user, at), ("Status", status.to_owned())])
            }
            Change::DeleteKey { user, key: at } => ("DeleteAccessKey", vec![name(user), key(user, at)]),
        }
    }

    /// What the event of a change says, as [`AuditTrail::times`] knows it.
    fn event(&self, change: &Change) -> String {
        let (action, params) = self.call(change);
        let value = |name: &str| params.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str());
        AuditTrail::named(action, value)
    }

    /// Makes a change. `Ok` if it was answered.
    pub async fn attempt(&mut self, calls: &Calls, change: Change, round: u64) -> Result<(), CallError> {
        let (action, params) = self.call(&change);
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = calls.call(action, &params).await?;
        let made = answer["AccessKey"]["AccessKeyId"].as_str().map(|id| AccessKey {
            id: id.to_owned(),
            secret: answer["AccessKey"]["AccessKeySecret"].as_str().map(str::to_owned),
            active: true,
        });
        self.apply(change, made, round);
        Ok(())
    }

    /// Takes a change as done; `made` is the access key that it made.
    fn apply(&mut self, change: Change, made: Option<AccessKey>, round: u64) {
        *self.done.entry(self.event(&change)).or_default() += 1;
        let user = match change {
            Change::CreateUser { name } => {
                let (policies, keys, old_keys) = (Vec::new(), Vec::new(), Vec::new());
                self.users.push(User { name, gone: false, policies, keys, old_keys, round });
                return;
            }
            Change::DeleteUser { user } => {
                self.users[user].gone = true;
                user
            }
            Change::CreatePolicy { user, name } => {
                self.users[user].policies.push(Policy { name, attached: false, was_attached: false });
                user
            }
            Change::DeletePolicy { user, policy } => {
                self.users[user].policies.remove(policy);
                user
            }
            Change::Attach { user, policy } => {
                let policy = &mut self.users[user].policies[policy];
                (policy.attached, policy.was_attached) = (true, true);
                user
            }
            Change::Detach { user, policy } => {
                self.users[user].policies[policy].attached = false;
                user
            }
            Change::CreateKey { user } => {
                self.users[user].keys.push(made.expect("the access key"));
                user
            }
            Change::SwitchKey { user, key, active } => {
                self.users[user].keys[key].active = active;
                user
            }
            Change::DeleteKey { user, key } => {
                let key = self.users[user].keys.remove(key);
                self.users[user].old_keys.push(key);
                user
            }
        };
        self.users[user].round = round;
    }

    /// Finds out whether a change that was not answered was done, with its event, or not, without.
    pub async fn settle(&mut self, calls: &Calls, change: Change, trail: &AuditTrail, round: u64) -> Unanswered {
        let event = self.event(&change);
        let before = self.done.get(&event).copied().unwrap_or(0);
        let mut made = None;
        let is_done = match &change {
            Change::CreateUser { name } => user_exists(calls, name).await,
            Change::DeleteUser { user } => !user_exists(calls, &self.users[*user].name).await,
            Change::CreatePolicy { name, .. } => attachments(calls, name).await.is_some(),
            Change::DeletePolicy { user, policy } => {
                attachments(calls, &self.users[*user].policies[*policy].name).await.is_none()
            }
            Change::Attach { user, policy } | Change::Detach { user, policy } => {
                let user = &self.users[*user];
                let listed = policies_of(calls, &user.name).await;
                let attached = listed.contains(&user.policies[*policy].name);
                attached == matches!(change, Change::Attach { .. })
            }
            Change::CreateKey { user } => {
                let user = &self.users[*user];
                let mut listed = access_keys_of(calls, &user.name).await;
                listed.retain(|(id, _)| user.keys.iter().all(|key| key.id != *id));
                assert!(listed.len() <= 1, "access keys that nobody has asked for: {listed:?}");
                made = listed.pop().map(|(id, active)| AccessKey { id, secret: None, active });
                made.is_some()
            }
            Change::SwitchKey { user, key, active } => {
                let user = &self.users[*user];
                let listed = access_keys_of(calls, &user.name).await;
                listed.contains(&(user.keys[*key].id.clone(), *active))
            }
            Change::DeleteKey { user, key } => {
                let user = &self.users[*user];
                let listed = access_keys_of(calls, &user.name).await;
                listed.iter().all(|(id, _)| *id != user.keys[*key].id)
            }
        };
        if !is_done {
            assert_eq!(trail.times(&event), before, "the log has a change that was not done: {event}");
            return Unanswered::default();
        }
        self.apply(change, made, round);
        Unanswered { done: 1, without_event: usize::from(trail.times(&event) != before + 1) }
    }

    /// Compares the users that were changed in `round`, or all of them; what is gone is then forgotten.
    pub async fn compare(&mut self, calls: &Calls, round: Option<u64>) {
        for user in self.users.iter().filter(|user| round.is_none_or(|round| user.round == round)) {
            compare(calls, user).await;
        }
        if round.is_none() {
            self.users.retain(|user| !user.gone);
        }
    }

    /// Compares with the audit log: each change that was done has its events, and no change has more.
    pub fn compare_events(&self, trail: &AuditTrail) {
        for (event, times) in &self.done {
            assert_eq!(trail.times(event), *times, "{event}");
        }
    }

    /// How many changes were done.
    pub fn changes(&self) -> u64 {
        self.done.values().sum()
    }
}

async fn found(calls: &Calls, action: &str, params: &[(&str, &str)], absent: &str) -> Option<Value> {
    match try_ask(calls, action, params).await {
        Ok(answer) => Some(answer),
        Err(Refused { code, .. }) => {
            assert_eq!(code, absent, "{action}");
            None
        }
    }
}

async fn user_exists(calls: &Calls, name: &str) -> bool {
    found(calls, "GetUser", &[("UserName", name)], "EntityNotExist.User").await.is_some()
}

/// To how many a policy is attached, if it is there.
async fn attachments(calls: &Calls, name: &str) -> Option<u64> {
    let params = [("PolicyType", "Custom"), ("PolicyName", name)];
    let policy = found(calls, "GetPolicy", &params, "EntityNotExist.Policy").await?;
    Some(policy["Policy"]["AttachmentCount"].as_u64().expect("a count"))
}

async fn policies_of(calls: &Calls, user: &str) -> Vec<String> {
    let listed = ask(calls, "ListPoliciesForUser", &[("UserName", user)]).await;
    let rows = listed["Policies"]["Policy"].as_array().expect("policies");
    rows.iter().map(|row| row["PolicyName"].as_str().expect("a name").to_owned()).collect()
}

/// IDs of the access keys, and whether they are active.
async fn access_keys_of(calls: &Calls, user: &str) -> Vec<(String, bool)> {
    let listed = ask(calls, "ListAccessKeys", &[("UserName", user)]).await;
    let rows = listed["AccessKeys"]["AccessKey"].as_array().expect("access keys");
    rows.iter().map(|row| (row["AccessKeyId"].as_str().expect("an ID").to_owned(), row["Status"] == "Active")).collect()
}

async fn compare(calls: &Calls, user: &User) {
    let name = &user.name;
    assert_eq!(user_exists(calls, name).await, !user.gone, "{name}");
    if !user.gone {
        let mut listed = policies_of(calls, name).await;
        let attached = user.policies.iter().filter(|policy| policy.attached);
        let mut known: Vec<String> = attached.map(|policy| policy.name.clone()).collect();
        listed.sort();
        known.sort();
        assert_eq!(listed, known, "{name}");
        let mut listed = access_keys_of(calls, name).await;
        let mut known: Vec<_> = user.keys.iter().map(|key| (key.id.clone(), key.active)).collect();
        listed.sort();
        known.sort();
        assert_eq!(listed, known, "{name}");
    }
    for policy in &user.policies {
        assert_eq!(attachments(calls, &policy.name).await, Some(u64::from(policy.attached)), "{}", policy.name);
    }
    let may_list = user.policies.iter().any(|policy| policy.attached);
    for key in &user.keys {
        let expected = match (key.active, may_list) {
            (true, true) => None,
            (true, false) => Some("Forbidden.NoPermission"),
            (false, _) => Some("InvalidAccessKeyId.Inactive"),
        };
        signs(calls, key, expected).await;
    }
    for key in &user.old_keys {
        signs(calls, key, Some("InvalidAccessKeyId.NotFound")).await;
    }
}

/// What becomes of a call that an access key has signed: the code of the refusal, if any.
async fn signs(calls: &Calls, key: &AccessKey, expected: Option<&str>) {
    let Some(secret) = &key.secret else { return };
    let outcome = match calls.client_of(&key.id, secret).call("ListKeys", &[]).await {
        Ok(_) => None,
        Err(CallError::Refused { code, .. }) => Some(code),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(outcome.as_deref(), expected, "{}", key.id);
}

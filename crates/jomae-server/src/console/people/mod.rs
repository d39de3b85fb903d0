//! The pages about people and what they may do. What they change goes through the actions of RAM, as everything does.

mod groups;
mod policies;
mod roles;
mod simulate;
#[cfg(test)]
mod tests;
mod users;

use jomae_console::{MadeCall, May, Typed};
use jomae_core::access::simulate::{Standpoint, would_allow};
use serde_json::Value;

use super::{
    Visit,
    ask::{Asker, given, rows},
    reply::Page,
    sessions::Session,
    views::Outcome,
};

/// Rows of a list.
const ROWS_OF_PAGE: &str = "50";
/// Names that a field knows of.
const KNOWN_MAX: &str = "100";

/// What may have been done here, as the pages say it.
pub(super) const DONE: [&str; 21] = [
    "access-key-enabled",
    "access-key-disabled",
    "access-key-deleted",
    "attached",
    "login-set",
    "login-changed",
    "login-removed",
    "passkey-removed",
    "user-deleted",
    "group-created",
    "group-deleted",
    "member-added",
    "member-removed",
    "role-created",
    "role-deleted",
    "trust-saved",
    "policy-created",
    "policy-deleted",
    "version-saved",
    "version-in-force",
    "version-deleted",
];

/// What a form has for a box that is ticked or not.
fn ticked(typed: &Typed, name: &str) -> &'static str {
    if typed.get(name).is_empty() { "false" } else { "true" }
}

/// The parameters of a policy that is attached or taken away.
fn chosen_policy(typed: &Typed) -> [(&'static str, &str); 2] {
    [("PolicyName", typed.get("PolicyName").trim()), ("PolicyType", typed.get("PolicyType"))]
}

/// The calls of a page are shown on it, but not the values of these parameters.
fn conceal(made: &mut [MadeCall], name: &str) {
    for (_, value) in made.iter_mut().flat_map(|call| &mut call.params).filter(|(param, _)| param == name) {
        zeroize::Zeroize::zeroize(value);
        value.push('…');
    }
}

/// The names in a list of an answer.
fn names(rows: &[Value], member: &str) -> Vec<String> {
    rows.iter().filter_map(|row| row.get(member)?.as_str().map(str::to_owned)).collect()
}

impl Visit<'_> {
    /// A page of this area that is got.
    pub(super) async fn view_people(&self, session: &Session, parts: &[&str]) -> Page {
        let mut asker = self.asker(session);
        let outcome = Outcome::default();
        match parts {
            ["people"] => self.people(session, &mut asker, &outcome).await,
            ["people", name] => self.user(session, &mut asker, name, &outcome).await,
            ["groups"] => self.groups(session, &mut asker, &outcome).await,
            ["groups", name] => self.group(session, &mut asker, name, &outcome).await,
            ["roles"] => self.roles(session, &mut asker, &outcome).await,
            ["roles", name] => self.role(session, &mut asker, name, &outcome).await,
            ["policies"] => self.policies(session, &mut asker).await,
            ["policies", "new"] => self.new_policy(session, &asker, &outcome),
            ["policies", kind, name] => self.policy(session, &mut asker, (kind, name), None).await,
            ["policies", "Custom", name, "edit"] => self.edit_policy(session, &mut asker, name, &outcome).await,
            ["policies", kind, name, "compare"] => self.compare(session, &mut asker, kind, name).await,
            ["simulate"] => self.simulate_form(session),
            ["replay"] => self.replay_form(session, &Typed::default()),
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }

    /// A form of this area that was sent.
    pub(super) async fn act_people(&self, session: &Session, parts: &[&str], typed: &Typed) -> Page {
        let asker = self.asker(session);
        match parts {
            ["people", "new"] => self.make_user(session, asker, typed).await,
            ["people", name, "create-access-key"] => self.make_access_key(session, asker, name).await,
            ["people", name, act] => self.change_user(session, asker, (name, act), typed).await,
            ["groups", "new"] => self.make_group(session, asker, typed).await,
            ["groups", name, act] => self.change_group(session, asker, (name, act), typed).await,
            ["roles", "new"] => self.make_role(session, asker, typed).await,
            ["roles", name, act] => self.change_role(session, asker, (name, act), typed).await,
            ["policies", "check"] => self.check_policy(typed),
            ["policies", "new"] => self.make_policy(session, asker, typed).await,
            ["policies", "Custom", name, "edit"] => self.make_version(session, asker, name, typed).await,
            ["policies", "Custom", name, act] => self.change_policy(session, asker, (name, act), typed).await,
            ["simulate"] => self.simulate(session, asker, typed).await,
            ["replay"] => self.replay(session, asker, typed).await,
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }

    /// A full name of RAM in the account of whoever has signed in.
    fn ram(session: &Session, what: &str) -> String {
        format!("acs:ram:*:{}:{what}", session.caller.account)
    }

    fn standpoint(&self) -> Standpoint<'_> {
        let region = &self.console.service.default_region;
        Standpoint { region, source_ip: &self.incoming.peer.ip, now: self.now }
    }

    /// Whether whoever has signed in may do something, or why not. None: it cannot be told.
    fn allowed(&self, session: &Session, permission: &str, resource: Option<&str>) -> Option<Result<(), String>> {
        let mut tx = self.console.service.kms.vault.reading();
        would_allow(&mut tx, &session.caller, (permission, resource), self.standpoint()).ok()
    }

    /// What whoever has signed in may do of what a page offers. What cannot be told is offered: the call decides.
    fn may(&self, session: &Session, asked: &[(&'static str, &str)]) -> May {
        let missing = asked.iter().filter_map(|(permission, what)| {
            let denied = self.allowed(session, permission, Some(&Self::ram(session, what)))?.err()?;
            Some((*permission, denied.starts_with("explicit deny")))
        });
        May::all_but(missing.collect())
    }

    /// Names of what there is, for fields; none where they may not be listed.
    async fn known(&self, session: &Session, asker: &mut Asker<'_>, of: Known) -> Vec<String> {
        let (permission, what) = (of.permission, Self::ram(session, of.all));
        if !matches!(self.allowed(session, permission, Some(&what)), Some(Ok(()))) {
            return Vec::new();
        }
        let listed = asker.ask(of.action, given(&[("MaxItems", KNOWN_MAX)])).await.unwrap_or_default();
        names(&rows(&listed, of.list, of.row), of.member)
    }
}

/// A list that fields know names from.
#[derive(Clone, Copy)]
struct Known {
    action: &'static str,
    permission: &'static str,
    all: &'static str,
    list: &'static str,
    row: &'static str,
    member: &'static str,
}

const USERS: Known = Known {
    action: "ListUsers",
    permission: "ram:ListUsers",
    all: "user/*",
    list: "Users",
    row: "User",
    member: "UserName",
};
const GROUPS: Known = Known {
    action: "ListGroups",
    permission: "ram:ListGroups",
    all: "group/*",
    list: "Groups",
    row: "Group",
    member: "GroupName",
};
const POLICIES: Known = Known {
    action: "ListPolicies",
    permission: "ram:ListPolicies",
    all: "policy/*",
    list: "Policies",
    row: "Policy",
    member: "PolicyName",
};

//! Groups.

use jomae_console::{
    Typed,
    pages::{self, GroupParts, GroupsPage, Held},
    percent,
};
use serde_json::Value;

use super::{KNOWN_MAX, POLICIES, ROWS_OF_PAGE, USERS, chosen_policy};
use crate::console::{
    Visit,
    acts::{go, refused},
    ask::{Asker, given, rows},
    reply::Page,
    sessions::Session,
    views::Outcome,
};

impl Visit<'_> {
    pub(super) async fn groups(&self, session: &Session, asker: &mut Asker<'_>, outcome: &Outcome<'_>) -> Page {
        let marker = self.query("marker");
        let listed = asker.ask("ListGroups", given(&[("MaxItems", ROWS_OF_PAGE), ("Marker", &marker)])).await;
        let (listed, refused) = listed.map_or_else(|refused| (Value::Null, Some(refused)), |listed| (listed, None));
        let may = self.may(session, &[("ram:CreateGroup", "group/*")]);
        let groups = rows(&listed, "Groups", "Group");
        let next = listed.get("Marker").and_then(Value::as_str);
        let page = GroupsPage { groups: &groups, next, may: &may, typed: &outcome.typed };
        let refusal = outcome.refusal.as_ref().or(refused.as_ref());
        self.shown(session, asker, refusal, |frame| pages::groups(frame, &page))
    }

    pub(super) async fn group(
        &self,
        session: &Session,
        asker: &mut Asker<'_>,
        name: &str,
        outcome: &Outcome<'_>,
    ) -> Page {
        let of_group = || given(&[("GroupName", name)]);
        let group = match asker.ask("GetGroup", of_group()).await {
            Ok(group) => group,
            Err(refusal) => return self.not_there(session, asker, &refusal),
        };
        let what = format!("group/{name}");
        let may = self.may(
            session,
            &[
                ("ram:AddUserToGroup", &what),
                ("ram:RemoveUserFromGroup", &what),
                ("ram:AttachPolicyToGroup", &what),
                ("ram:DetachPolicyFromGroup", &what),
                ("ram:DeleteGroup", &what),
            ],
        );
        let members = asker.ask("ListUsersForGroup", given(&[("GroupName", name), ("MaxItems", KNOWN_MAX)])).await;
        let members = members.unwrap_or_default();
        let policies = asker.ask("ListPoliciesForGroup", of_group()).await.unwrap_or_default();
        let known_users = self.known(session, asker, USERS).await;
        let known_policies = self.known(session, asker, POLICIES).await;
        let parts = GroupParts {
            group: group.get("Group").unwrap_or(&Value::Null),
            members: &rows(&members, "Users", "User"),
            is_cut: members.get("IsTruncated") == Some(&Value::Bool(true)),
            known_users: &known_users,
            held: Held {
                policies: &rows(&policies, "Policies", "Policy"),
                known: &known_policies,
                may: &may,
                typed: &outcome.typed,
            },
        };
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| pages::group(frame, &parts))
    }

    pub(super) async fn make_group(&self, session: &Session, mut asker: Asker<'_>, typed: &Typed) -> Page {
        let params = ["GroupName", "Comments"].map(|name| (name, typed.get(name).trim()));
        match asker.ask("CreateGroup", given(&params)).await {
            Ok(_) => go(&format!("/groups/{}", percent(typed.get("GroupName").trim())), "group-created"),
            Err(refusal) => self.groups(session, &mut asker, &refused(refusal, typed)).await,
        }
    }

    pub(super) async fn change_group(
        &self,
        session: &Session,
        mut asker: Asker<'_>,
        (name, act): (&str, &str),
        typed: &Typed,
    ) -> Page {
        let group = ("GroupName", name);
        let user = ("UserName", typed.get("UserName").trim());
        let [policy, kind] = chosen_policy(typed);
        let (action, params, done) = match act {
            "add" => ("AddUserToGroup", vec![user, group], "member-added"),
            "remove" => ("RemoveUserFromGroup", vec![user, group], "member-removed"),
            "attach" => ("AttachPolicyToGroup", vec![group, policy, kind], "attached"),
            "detach" => ("DetachPolicyFromGroup", vec![group, policy, kind], "detached"),
            "delete" => ("DeleteGroup", vec![group], "group-deleted"),
            _ => return self.message(404, "not-found-title", "not-found"),
        };
        match asker.ask(action, given(&params)).await {
            Ok(_) if act == "delete" => go("/groups", done),
            Ok(_) => go(&format!("/groups/{}", percent(name)), done),
            Err(refusal) => self.group(session, &mut asker, name, &refused(refusal, typed)).await,
        }
    }
}

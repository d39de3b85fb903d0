//! Users.

use jomae_api::time::Timestamp;
use jomae_console::{
    Typed,
    pages::{self, Held, NewSecret, PeoplePage, UserParts},
    percent,
};
use serde_json::Value;

use super::{GROUPS, POLICIES, ROWS_OF_PAGE, chosen_policy, conceal, ticked};
use crate::console::{
    Visit,
    acts::{go, refused},
    ask::{Asker, given, rows},
    reply::Page,
    sessions::Session,
    views::Outcome,
};

const SECS_PER_DAY: i64 = 86_400;

impl Visit<'_> {
    pub(super) async fn people(&self, session: &Session, asker: &mut Asker<'_>, outcome: &Outcome<'_>) -> Page {
        let marker = self.query("marker");
        let listed = asker.ask("ListUsers", given(&[("MaxItems", ROWS_OF_PAGE), ("Marker", &marker)])).await;
        let (listed, refused) = listed.map_or_else(|refused| (Value::Null, Some(refused)), |listed| (listed, None));
        let may = self.may(session, &[("ram:CreateUser", "user/*")]);
        let users = rows(&listed, "Users", "User");
        let next = listed.get("Marker").and_then(Value::as_str);
        let page = PeoplePage { users: &users, next, may: &may, typed: &outcome.typed };
        let refusal = outcome.refusal.as_ref().or(refused.as_ref());
        self.shown(session, asker, refusal, |frame| pages::people(frame, &page))
    }

    pub(super) async fn user(
        &self,
        session: &Session,
        asker: &mut Asker<'_>,
        name: &str,
        outcome: &Outcome<'_>,
    ) -> Page {
        let of_user = || given(&[("UserName", name)]);
        let user = match asker.ask("GetUser", of_user()).await {
            Ok(user) => user,
            Err(refusal) => return self.not_there(session, asker, &refusal),
        };
        let what = format!("user/{name}");
        let may = self.may(
            session,
            &[
                ("ram:CreateAccessKey", &what),
                ("ram:UpdateAccessKey", &what),
                ("ram:DeleteAccessKey", &what),
                ("ram:CreateLoginProfile", &what),
                ("ram:UpdateLoginProfile", &what),
                ("ram:DeleteLoginProfile", &what),
                ("ram:DeletePasskey", &what),
                ("ram:AddUserToGroup", &what),
                ("ram:RemoveUserFromGroup", &what),
                ("ram:AttachPolicyToUser", &what),
                ("ram:DetachPolicyFromUser", &what),
                ("ram:DeleteUser", &what),
            ],
        );
        let access_keys = self.access_keys(asker, name).await;
        let login = self.login(session, asker, name).await;
        let passkeys = self.passkeys(session, asker, name).await;
        let groups = asker.ask("ListGroupsForUser", of_user()).await.unwrap_or_default();
        let policies = asker.ask("ListPoliciesForUser", of_user()).await.unwrap_or_default();
        let known_groups = self.known(session, asker, GROUPS).await;
        let known_policies = self.known(session, asker, POLICIES).await;
        let parts = UserParts {
            user: user.get("User").unwrap_or(&Value::Null),
            access_keys: &access_keys,
            groups: &rows(&groups, "Groups", "Group"),
            known_groups: &known_groups,
            login: login.as_ref(),
            passkeys: passkeys.as_deref(),
            held: Held {
                policies: &rows(&policies, "Policies", "Policy"),
                known: &known_policies,
                may: &may,
                typed: &outcome.typed,
            },
            secret: outcome.secret.as_ref(),
        };
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| pages::user(frame, &parts))
    }

    /// The AccessKey pairs of a user, with their age and last use.
    async fn access_keys(&self, asker: &mut Asker<'_>, name: &str) -> Vec<Value> {
        let listed = asker.ask("ListAccessKeys", given(&[("UserName", name)])).await.unwrap_or_default();
        let mut keys = rows(&listed, "AccessKeys", "AccessKey");
        for key in &mut keys {
            let text = |member: &str| key.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
            let params = [("UserName", name), ("UserAccessKeyId", &text("AccessKeyId"))];
            let used = asker.ask("GetAccessKeyLastUsed", given(&params)).await.unwrap_or_default();
            let created = Timestamp::parse(&text("CreateDate")).unwrap_or(self.now);
            let age = self.now.0.saturating_sub(created.0) / SECS_PER_DAY;
            if let Some(members) = key.as_object_mut() {
                members.insert("AgeDays".to_owned(), Value::from(age));
                let used = used.get("AccessKeyLastUsed").and_then(Value::as_object).cloned().unwrap_or_default();
                members.extend(used);
            }
        }
        keys
    }

    /// How a user signs in with a password: null if not at all, none if that may not be seen.
    async fn login(&self, session: &Session, asker: &mut Asker<'_>, name: &str) -> Option<Value> {
        let resource = Self::ram(session, &format!("user/{name}"));
        if let Some(Err(_)) = self.allowed(session, "ram:GetLoginProfile", Some(&resource)) {
            return None;
        }
        match asker.ask("GetLoginProfile", given(&[("UserName", name)])).await {
            Ok(answer) => answer.get("LoginProfile").cloned(),
            Err(refusal) if refusal.code == "EntityNotExist.User.LoginProfile" => Some(Value::Null),
            Err(_) => None,
        }
    }

    /// The passkeys of a user; none if they may not be seen.
    async fn passkeys(&self, session: &Session, asker: &mut Asker<'_>, name: &str) -> Option<Vec<Value>> {
        let resource = Self::ram(session, &format!("user/{name}"));
        if let Some(Err(_)) = self.allowed(session, "ram:ListPasskeys", Some(&resource)) {
            return None;
        }
        let listed = asker.ask("ListPasskeys", given(&[("UserName", name)])).await.ok()?;
        Some(rows(&listed, "Passkeys", "Passkey"))
    }

    pub(super) async fn make_user(&self, session: &Session, mut asker: Asker<'_>, typed: &Typed) -> Page {
        let params = ["UserName", "DisplayName", "Comments"].map(|name| (name, typed.get(name).trim()));
        match asker.ask("CreateUser", given(&params)).await {
            Ok(_) => go(&format!("/people/{}", percent(typed.get("UserName").trim())), "user-created"),
            Err(refusal) => self.people(session, &mut asker, &refused(refusal, typed)).await,
        }
    }

    pub(super) async fn make_access_key(&self, session: &Session, mut asker: Asker<'_>, name: &str) -> Page {
        match asker.ask("CreateAccessKey", given(&[("UserName", name)])).await {
            Ok(answer) => {
                let text = |member: &str| {
                    answer.get("AccessKey").and_then(|key| key.get(member)?.as_str()).unwrap_or_default()
                };
                let secret = Some(NewSecret { id: text("AccessKeyId"), secret: text("AccessKeySecret") });
                self.user(session, &mut asker, name, &Outcome { secret, ..Outcome::default() }).await
            }
            Err(refusal) => self.user(session, &mut asker, name, &refused(refusal, &Typed::default())).await,
        }
    }

    pub(super) async fn change_user(
        &self,
        session: &Session,
        mut asker: Asker<'_>,
        (name, act): (&str, &str),
        typed: &Typed,
    ) -> Page {
        let user = ("UserName", name);
        let key = ("UserAccessKeyId", typed.get("UserAccessKeyId"));
        let group = ("GroupName", typed.get("GroupName").trim());
        let [policy, kind] = chosen_policy(typed);
        let login = [
            user,
            ("Password", typed.get("Password")),
            ("PasswordResetRequired", ticked(typed, "PasswordResetRequired")),
            ("MFABindRequired", ticked(typed, "MFABindRequired")),
        ];
        let (action, params, done) = match act {
            "enable-access-key" => ("UpdateAccessKey", vec![user, key, ("Status", "Active")], "access-key-enabled"),
            "disable-access-key" => ("UpdateAccessKey", vec![user, key, ("Status", "Inactive")], "access-key-disabled"),
            "delete-access-key" => ("DeleteAccessKey", vec![user, key], "access-key-deleted"),
            "set-login" => ("CreateLoginProfile", login.to_vec(), "login-set"),
            "change-login" => ("UpdateLoginProfile", login.to_vec(), "login-changed"),
            "remove-login" => ("DeleteLoginProfile", vec![user], "login-removed"),
            "remove-passkey" => ("DeletePasskey", vec![user, ("PasskeyId", typed.get("PasskeyId"))], "passkey-removed"),
            "join" => ("AddUserToGroup", vec![user, group], "member-added"),
            "leave" => ("RemoveUserFromGroup", vec![user, group], "member-removed"),
            "attach" => ("AttachPolicyToUser", vec![user, policy, kind], "attached"),
            "detach" => ("DetachPolicyFromUser", vec![user, policy, kind], "detached"),
            "delete" => ("DeleteUser", vec![user], "user-deleted"),
            _ => return self.message(404, "not-found-title", "not-found"),
        };
        let answer = asker.ask(action, given(&params)).await;
        conceal(&mut asker.made, "Password");
        match answer {
            Ok(_) if act == "delete" => go("/people", done),
            Ok(_) => go(&format!("/people/{}", percent(name)), done),
            Err(refusal) => {
                // A password is typed again.
                let kept = typed.0.iter().filter(|(name, _)| name != "Password").cloned().collect();
                self.user(session, &mut asker, name, &refused(refusal, &Typed(kept))).await
            }
        }
    }
}

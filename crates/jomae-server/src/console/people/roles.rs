//! Roles.

use jomae_console::{
    Typed,
    pages::{self, Draft, Held, RoleParts, RolesPage},
    percent,
};
use serde_json::{Value, json};

use super::{POLICIES, ROWS_OF_PAGE, chosen_policy, policies};
use crate::console::{
    Visit,
    acts::{go, refused},
    ask::{Asker, given, rows},
    reply::Page,
    sessions::Session,
    views::Outcome,
};

impl Visit<'_> {
    pub(super) async fn roles(&self, session: &Session, asker: &mut Asker<'_>, outcome: &Outcome<'_>) -> Page {
        let marker = self.query("marker");
        let listed = asker.ask("ListRoles", given(&[("MaxItems", ROWS_OF_PAGE), ("Marker", &marker)])).await;
        let (listed, refused) = listed.map_or_else(|refused| (Value::Null, Some(refused)), |listed| (listed, None));
        let may = self.may(session, &[("ram:CreateRole", "role/*")]);
        let roles = rows(&listed, "Roles", "Role");
        let next = listed.get("Marker").and_then(Value::as_str);
        let typed = policies::document(&outcome.typed);
        let example = policies::laid_out(&json!({ "Version": "1", "Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": { "RAM": [format!("acs:ram::{}:root", session.caller.account)] },
        }] }));
        let words = policies::trust_words(session);
        let draft = Draft {
            text: if typed.is_empty() { &example } else { &typed },
            form: "trust",
            finding: (!typed.is_empty()).then(|| policies::finding(&typed, "trust")),
            words: &words,
        };
        let page = RolesPage { roles: &roles, next, draft, may: &may, typed: &outcome.typed };
        let refusal = outcome.refusal.as_ref().or(refused.as_ref());
        self.shown(session, asker, refusal, |frame| pages::roles(frame, &page))
    }

    pub(super) async fn role(
        &self,
        session: &Session,
        asker: &mut Asker<'_>,
        name: &str,
        outcome: &Outcome<'_>,
    ) -> Page {
        let of_role = || given(&[("RoleName", name)]);
        let role = match asker.ask("GetRole", of_role()).await {
            Ok(role) => role.get("Role").cloned().unwrap_or_default(),
            Err(refusal) => return self.not_there(session, asker, &refusal),
        };
        let what = format!("role/{name}");
        let may = self.may(
            session,
            &[
                ("ram:UpdateRole", &what),
                ("ram:AttachPolicyToRole", &what),
                ("ram:DetachPolicyFromRole", &what),
                ("ram:DeleteRole", &what),
            ],
        );
        let held = asker.ask("ListPoliciesForRole", of_role()).await.unwrap_or_default();
        let known = self.known(session, asker, POLICIES).await;
        let typed = policies::document(&outcome.typed);
        let stored = role.get("AssumeRolePolicyDocument").and_then(Value::as_str).unwrap_or_default();
        let stored = policies::readable(stored);
        let words = policies::trust_words(session);
        let draft = Draft {
            text: if typed.is_empty() { &stored } else { &typed },
            form: "trust",
            finding: (!typed.is_empty()).then(|| policies::finding(&typed, "trust")),
            words: &words,
        };
        let held = rows(&held, "Policies", "Policy");
        let held = Held { policies: &held, known: &known, may: &may, typed: &outcome.typed };
        let parts = RoleParts { role: &role, draft, held };
        self.shown(session, asker, outcome.refusal.as_ref(), |frame| pages::role(frame, &parts))
    }

    pub(super) async fn make_role(&self, session: &Session, mut asker: Asker<'_>, typed: &Typed) -> Page {
        if typed.get("act") == "check" {
            let outcome = Outcome { typed: typed.clone(), ..Outcome::default() };
            return self.roles(session, &mut asker, &outcome).await;
        }
        let name = typed.get("RoleName").trim();
        let params = [
            ("RoleName", name),
            ("AssumeRolePolicyDocument", &policies::document(typed)),
            ("Description", typed.get("Description").trim()),
            ("MaxSessionDuration", typed.get("MaxSessionDuration").trim()),
        ];
        match asker.ask("CreateRole", given(&params)).await {
            Ok(_) => go(&format!("/roles/{}", percent(name)), "role-created"),
            Err(refusal) => self.roles(session, &mut asker, &refused(refusal, typed)).await,
        }
    }

    pub(super) async fn change_role(
        &self,
        session: &Session,
        mut asker: Asker<'_>,
        (name, act): (&str, &str),
        typed: &Typed,
    ) -> Page {
        let role = ("RoleName", name);
        let [policy, kind] = chosen_policy(typed);
        let document = policies::document(typed);
        if act == "trust" && typed.get("act") == "check" {
            let outcome = Outcome { typed: typed.clone(), ..Outcome::default() };
            return self.role(session, &mut asker, name, &outcome).await;
        }
        let (action, params, done) = match act {
            "trust" => ("UpdateRole", vec![role, ("NewAssumeRolePolicyDocument", document.as_str())], "trust-saved"),
            "attach" => ("AttachPolicyToRole", vec![role, policy, kind], "attached"),
            "detach" => ("DetachPolicyFromRole", vec![role, policy, kind], "detached"),
            "delete" => ("DeleteRole", vec![role], "role-deleted"),
            _ => return self.message(404, "not-found-title", "not-found"),
        };
        match asker.ask(action, given(&params)).await {
            Ok(_) if act == "delete" => go("/roles", done),
            Ok(_) => go(&format!("/roles/{}", percent(name)), done),
            Err(refusal) => self.role(session, &mut asker, name, &refused(refusal, typed)).await,
        }
    }
}

//! The pages about people and their rights, with a value in every place where a caller can put one.

use serde_json::{Value, json};

use crate::{
    Frame, May, Texts, Typed,
    pages::{
        self, Change, Compared, Draft, Finding, GroupParts, GroupsPage, Held, Layer, NewSecret, PeoplePage,
        PoliciesPage, PolicyKind, PolicyParts, Replayed, RoleParts, RolesPage, Simulated, UserParts,
    },
};

const WRONG: Finding =
    Finding::Wrong { statement: 1, element: "Action", reason: "the service has no such action", line: 3, column: 5 };

/// What nobody may do in these pages.
fn nothing() -> May {
    let all = "CreateUser DeleteUser CreateAccessKey UpdateAccessKey DeleteAccessKey CreateLoginProfile UpdateLoginProfile \
               DeleteLoginProfile AddUserToGroup RemoveUserFromGroup AttachPolicyToUser DetachPolicyFromUser CreateGroup \
               DeleteGroup AttachPolicyToGroup DetachPolicyFromGroup CreateRole UpdateRole DeleteRole AttachPolicyToRole \
               DetachPolicyFromRole CreatePolicy CreatePolicyVersion SetDefaultPolicyVersion DeletePolicyVersion DeletePolicy";
    let all = all.split_whitespace().map(|name| format!("ram:{name}"));
    May::all_but(all.map(|name| (&*Box::leak(name.into_boxed_str()), false)).collect())
}

/// What was typed everywhere.
fn typed(value: &str) -> Typed {
    let names = [
        "UserName",
        "DisplayName",
        "Comments",
        "GroupName",
        "PolicyName",
        "PolicyType",
        "RoleName",
        "Description",
        "MaxSessionDuration",
        "kind",
        "name",
        "action",
        "resource",
        "simulate_context_name",
        "simulate_context_value",
        "source_ip",
        "place",
        "place_name",
    ];
    Typed(names.iter().map(|name| ((*name).to_owned(), value.to_owned())).collect())
}

/// A row of every list.
fn row(value: &str) -> Value {
    json!({ "UserName": value, "DisplayName": value, "Comments": value, "CreateDate": value, "GroupName": value,
        "RoleName": value, "Description": value, "Arn": value, "MaxSessionDuration": 3600, "JoinDate": value,
        "AssumeRolePolicyDocument": value, "AccessKeyId": value, "Status": "Active", "LastUsedDate": value, "AgeDays": 1,
        "ServiceName": value, "PolicyName": value, "PolicyType": "Custom", "DefaultVersion": value,
        "AttachmentCount": 1, "UpdateDate": value, "VersionId": value, "IsDefaultVersion": false })
}

fn replayed(value: &str) -> Replayed {
    let change = || Change {
        event_id: value.into(),
        time: value.into(),
        principal: value.into(),
        action: value.into(),
        resource: value.into(),
        reason: format!("no statement allows it; {value}: Statement 1 denies; {value}"),
    };
    Replayed {
        from: value.into(),
        until: value.into(),
        calls: 7,
        decided: 6,
        denied_total: 5,
        denied: vec![change()],
        allowed_total: 1,
        allowed: vec![change()],
        changed_already: 3,
        callers_gone: 2,
        unknown: 1,
    }
}

fn answered(value: &str, allowed: bool) -> Simulated {
    Simulated {
        allowed,
        permission: value.into(),
        resource: value.into(),
        reason: format!("explicit deny in policy {value}, statement 1; {value}"),
        layers: vec![
            Layer { policy: value.into(), statements: Vec::new() },
            Layer {
                policy: value.into(),
                statements: vec![
                    format!("Statement 1 does not apply: StringEquals {value} is not met"),
                    format!(
                        "Statement 2 does not apply: StringEquals {value} is not met, the request has no such value"
                    ),
                    value.into(),
                ],
            },
        ],
        notes: vec!["the key has the default key policy, which leaves everything to RAM".into(), value.into()],
    }
}

pub fn all_pages(frame: &Frame<'_>, value: &str) -> Vec<String> {
    let frame = &Frame { path: "/people?marker=x", ..*frame };
    let typed = &typed(value);
    let row = row(value);
    let mut other = row.clone();
    other["Status"] = Value::from("Inactive");
    other["PolicyType"] = Value::from(value);
    let rows = &[row.clone(), other][..];
    let known = &[value.to_owned()][..];
    let (all, none) = (May::default(), nothing());
    let held = |may| Held { policies: rows, known, may, typed };
    let new = NewSecret { id: value, secret: value };
    let user = |may, login, secret| UserParts {
        user: &row,
        access_keys: rows,
        groups: rows,
        known_groups: known,
        login,
        passkeys: login.map(|_| rows),
        held: held(may),
        secret,
    };
    let draft = |finding| Draft { text: value, form: "identity", finding, words: known };
    let policy = |may| PolicyParts {
        policy: &row,
        document: value,
        versions: rows,
        users: rows,
        groups: rows,
        roles: rows,
        may,
    };
    let answer = |allowed| answered(value, allowed);
    let login = json!({ "CreateDate": value, "PasswordResetRequired": true });
    let marker = Some(value);
    let people = |may| pages::people(frame, &PeoplePage { users: rows, next: marker, may, typed });
    let groups = |may| pages::groups(frame, &GroupsPage { groups: rows, next: marker, may, typed });
    let group = |may| GroupParts { group: &row, members: rows, is_cut: true, known_users: known, held: held(may) };
    let roles = |may| RolesPage { roles: rows, next: marker, draft: draft(Some(WRONG)), may, typed };
    let role = |may| RoleParts { role: &row, draft: draft(None), held: held(may) };
    let policies = |kind, may| PoliciesPage { kind, policies: rows, next: marker, may };
    let compared = Compared { kind: value, name: value, from: (value, value), to: (value, "{}") };
    vec![
        people(&all),
        people(&none),
        pages::user(frame, &user(&all, Some(&login), Some(&new))),
        pages::user(frame, &user(&all, Some(&Value::Null), None)),
        pages::user(frame, &user(&none, None, None)),
        groups(&all),
        groups(&none),
        pages::group(frame, &group(&all)),
        pages::group(frame, &group(&none)),
        pages::roles(frame, &roles(&all)),
        pages::roles(frame, &roles(&none)),
        pages::role(frame, &role(&all)),
        pages::role(frame, &role(&none)),
        pages::policies(frame, &policies(PolicyKind::Custom, &all)),
        pages::policies(frame, &policies(PolicyKind::System, &none)),
        pages::policy(frame, &policy(&all)),
        pages::policy(frame, &policy(&none)),
        pages::compare(frame, &compared),
        pages::edit_policy(frame, None, None, &draft(Some(WRONG)), typed),
        pages::edit_policy(frame, Some(value), Some("{}"), &draft(Some(Finding::Good)), typed),
        pages::simulate(frame, typed, (known, known), Some(&answer(true))),
        pages::simulate(frame, typed, (known, known), Some(&answer(false))),
        pages::replay(frame, typed, &draft(Some(WRONG)), Some(&replayed(value))),
    ]
}

#[test]
fn what_may_not_be_done_is_not_offered_and_says_why() {
    let frame = Frame {
        texts: Texts::of(crate::Lang::English),
        visitor: None,
        path: "/people",
        calls: &[],
        done: None,
        refusal: None,
    };
    let may = May::all_but(vec![("ram:CreateUser", false)]);
    let typed = Typed::default();
    let users = |may: &May| pages::people(&frame, &PeoplePage { users: &[], next: None, may, typed: &typed });
    let page = users(&may);
    assert!(!page.contains("<form"), "{page}");
    assert!(page.contains("No policy allows ram:CreateUser here."));
    assert!(users(&May::all_but(vec![("ram:CreateUser", true)])).contains("A policy denies ram:CreateUser here."));
    assert!(users(&May::default()).contains("action=\"/people/new\""));
}

#[test]
fn a_mistake_is_told_in_each_language() {
    for (lang, expected) in [
        (crate::Lang::English, "Line 3, column 5: statement 1, Action: the service has no such action"),
        (crate::Lang::Japanese, "3 行 5 文字目、ステートメント 1 の Action：サービスにそのアクションはありません。"),
        (crate::Lang::Chinese, "第 3 行第 5 列，语句 1 的 Action：服务没有此操作。"),
    ] {
        let texts = Texts::of(lang);
        let frame = Frame { texts, visitor: None, path: "/", calls: &[], done: None, refusal: None };
        assert_eq!(pages::finding_text(&frame, &WRONG), expected);
    }
}

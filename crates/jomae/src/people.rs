//! `jomae user`, `jomae group`, `jomae role` and `jomae session`: who may do what, in the terms of RAM.

mod policies;

use jomae_client::api::{CallError, Client};
use jomae_server::bootstrap::shell_quoted;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    args::{Connection, Group, Policies, PolicyNames, Remote, Role, Session, Show, User, UserKeys},
    confirm,
    connect::{block_on, client},
    env_file::{Credential, EnvFile},
    explain::call,
    output::{self, Failure},
    show, times,
};
use policies::Granted;

/// What policies are attached to.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The parameter that names one.
    param: &'static str,
    attach: &'static str,
    detach: &'static str,
    policies: &'static str,
    create: &'static str,
    delete: &'static str,
    list: &'static str,
    get: &'static str,
}

const USER: Kind = Kind {
    param: "UserName",
    attach: "AttachPolicyToUser",
    detach: "DetachPolicyFromUser",
    policies: "ListPoliciesForUser",
    create: "CreateUser",
    delete: "DeleteUser",
    list: "ListUsers",
    get: "GetUser",
};
const GROUP: Kind = Kind {
    param: "GroupName",
    attach: "AttachPolicyToGroup",
    detach: "DetachPolicyFromGroup",
    policies: "ListPoliciesForGroup",
    create: "CreateGroup",
    delete: "DeleteGroup",
    list: "ListGroups",
    get: "GetGroup",
};
const ROLE: Kind = Kind {
    param: "RoleName",
    attach: "AttachPolicyToRole",
    detach: "DetachPolicyFromRole",
    policies: "ListPoliciesForRole",
    create: "CreateRole",
    delete: "DeleteRole",
    list: "ListRoles",
    get: "GetRole",
};

/// Rows of a list fetched at once.
const ITEMS: &str = "100";

pub fn user(remote: &Remote, command: User) -> Result<(), Failure> {
    let show = &remote.show;
    let client = client(&remote.connection)?;
    block_on(async {
        match command {
            User::Create { name, policies, group, env_file, display_name } => {
                let file = env_file.as_deref().map(EnvFile::create).transpose()?;
                let extra: Vec<(&str, &str)> = display_name.iter().map(|text| ("DisplayName", text.as_str())).collect();
                let mut made = Undo::new(&client);
                let result = create_user(&client, &name, &extra, &policies, &group, file.is_some(), &mut made).await;
                let result = match (file, result) {
                    (Some(file), Ok(Some(key))) => handed_over(&remote.connection, &client, file, &name, &key).await,
                    (_, result) => result.map(|_| format!("user {name} was made")),
                };
                output::line(&made.kept(result).await?)
            }
            User::List => {
                let rows = all(&client, "ListUsers", &[], "/Users/User").await?;
                show::list(show, &["USER", "CREATED", "NAME"], &["UserName", "CreateDate", "DisplayName"], rows)
            }
            User::Show { name } => show_user(&client, show, &name).await,
            User::Grant { name, policies } => grant(&client, USER, &name, &policies).await,
            User::Revoke { name, policies } => revoke(&client, USER, &name, &policies).await,
            User::Keys { command } => keys(remote, &client, command).await,
            User::Delete { name, confirmed } => delete_user(&client, &name, confirmed.yes).await,
        }
    })
}

async fn create_user(
    client: &Client,
    name: &str,
    extra: &[(&str, &str)],
    policies: &Policies,
    groups: &[String],
    with_key: bool,
    made: &mut Undo<'_>,
) -> Result<Option<Value>, Failure> {
    create(client, USER, name, extra, policies, made).await?;
    for group in groups {
        let params = [("UserName", name), ("GroupName", group.as_str())];
        call(client, "AddUserToGroup", &params).await?;
        made.by("RemoveUserFromGroup", &params);
    }
    if !with_key {
        return Ok(None);
    }
    call(client, "CreateAccessKey", &[("UserName", name)]).await.map(Some)
}

/// Makes a user, group or role with its policies. What is wrong with a policy is noticed before anything is made.
async fn create(
    client: &Client,
    kind: Kind,
    name: &str,
    extra: &[(&str, &str)],
    policies: &Policies,
    made: &mut Undo<'_>,
) -> Result<(), Failure> {
    let granted = policies::meant(client, &policies.policies).await?;
    let mut params = vec![(kind.param, name)];
    params.extend(extra);
    call(client, kind.create, &params).await?;
    made.by(kind.delete, &[(kind.param, name)]);
    for policy in granted {
        attach(client, kind, name, policy, made).await?;
    }
    Ok(())
}

async fn attach(client: &Client, kind: Kind, name: &str, policy: Granted, made: &mut Undo<'_>) -> Result<(), Failure> {
    if let Some(document) = &policy.document {
        call(client, "CreatePolicy", &[("PolicyName", &policy.name), ("PolicyDocument", document)]).await?;
        made.by("DeletePolicy", &[("PolicyName", &policy.name)]);
    }
    let params = [("PolicyType", policy.kind), ("PolicyName", policy.name.as_str()), (kind.param, name)];
    call(client, kind.attach, &params).await?;
    made.by(kind.detach, &params);
    Ok(())
}

async fn grant(client: &Client, kind: Kind, name: &str, policies: &Policies) -> Result<(), Failure> {
    if policies.policies.is_empty() {
        return Err(Failure::Usage("--policy names what shall be granted".into()));
    }
    let granted = policies::meant(client, &policies.policies).await?;
    let mut made = Undo::new(client);
    let mut result = Ok(());
    for policy in granted {
        result = attach(client, kind, name, policy, &mut made).await;
        if result.is_err() {
            break;
        }
    }
    made.kept(result).await
}

async fn revoke(client: &Client, kind: Kind, name: &str, policies: &PolicyNames) -> Result<(), Failure> {
    let attached = all(client, kind.policies, &[(kind.param, name)], "/Policies/Policy").await?;
    let policies = &policies.policies;
    for policy in policies {
        let known = || attached.iter().map(|row| text(row, "PolicyName"));
        if !known().any(|known| known == policy) {
            let has = if attached.is_empty() { "none".into() } else { known().collect::<Vec<_>>().join(", ") };
            return Err(Failure::Usage(format!("{name} has no policy {policy}; it has {has}")));
        }
    }
    for row in attached.iter().filter(|row| policies.iter().any(|policy| policy == text(row, "PolicyName"))) {
        detach(client, kind, name, row).await?;
    }
    Ok(())
}

async fn detach(client: &Client, kind: Kind, name: &str, row: &Value) -> Result<(), Failure> {
    let params = [("PolicyType", text(row, "PolicyType")), ("PolicyName", text(row, "PolicyName")), (kind.param, name)];
    call(client, kind.detach, &params).await.map(drop)
}

/// What was made so far, and the calls that take it back.
struct Undo<'c> {
    client: &'c Client,
    steps: Vec<(&'static str, Vec<(String, String)>)>,
}

impl<'c> Undo<'c> {
    fn new(client: &'c Client) -> Self {
        Self { client, steps: Vec::new() }
    }

    fn by(&mut self, action: &'static str, params: &[(&str, &str)]) {
        self.steps.push((action, params.iter().map(|&(name, value)| (name.into(), value.into())).collect()));
    }

    /// The result; if it is a failure, everything before it is taken back, the newest first.
    async fn kept<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        if result.is_err() {
            for (action, params) in self.steps.iter().rev() {
                let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (&**name, &**value)).collect();
                if let Err(error) = self.client.call(action, &params).await {
                    output::note(&format!("what was made could not be taken back: {action}: {error}"));
                }
            }
        }
        result
    }
}

/// Writes a new access key to its file, and says so; if that fails, the key is deleted again.
async fn handed_over(
    connection: &Connection,
    client: &Client,
    file: EnvFile,
    user: &str,
    answer: &Value,
) -> Result<String, Failure> {
    let member = |name: &str| answer.pointer(&format!("/AccessKey/{name}")).and_then(Value::as_str).unwrap_or_default();
    let id = member("AccessKeyId");
    let credential =
        Credential { access_key_id: id, access_key_secret: member("AccessKeySecret"), security_token: None };
    let path = file.path().to_owned();
    if let Err(error) = file.fill(&place(connection, client), &credential) {
        let params = [("UserName", user), ("UserAccessKeyId", id)];
        let fate = match client.call("DeleteAccessKey", &params).await {
            Ok(_) => "the access key was deleted again".to_owned(),
            Err(error) => format!("the access key {id} was made and its secret is lost: {error}"),
        };
        return Err(Failure::Local(format!("{}: {error}; {fate}", path.display())));
    }
    Ok(format!("user {user}; its access key {id} is in {}", path.display()))
}

/// Lines for a shell that say where this service is.
fn place(connection: &Connection, client: &Client) -> String {
    let line = |name: &str, value: &str| format!("export {name}={}\n", shell_quoted(value));
    let mut lines = line("JOMAE_ENDPOINT", client.endpoint());
    lines += &line("JOMAE_REGION", client.region());
    if let Some(file) = &connection.ca_file {
        let file = std::path::absolute(file).map_or_else(|_| file.clone(), |path| path.display().to_string());
        lines += &line("JOMAE_CA_FILE", &file);
    }
    lines
}

async fn show_user(client: &Client, show: &Show, name: &str) -> Result<(), Failure> {
    let user = call(client, "GetUser", &[("UserName", name)]).await?;
    let of = [("UserName", name)];
    let groups = all(client, "ListGroupsForUser", &of, "/Groups/Group").await?;
    let policies = all(client, "ListPoliciesForUser", &of, "/Policies/Policy").await?;
    let keys = all(client, "ListAccessKeys", &of, "/AccessKeys/AccessKey").await?;
    let shown = json!({
        "User": user.get("User"),
        "Groups": column(&groups, "GroupName"),
        "Policies": column(&policies, "PolicyName"),
        "AccessKeys": keys.iter().map(|key| format!("{} ({})", text(key, "AccessKeyId"), text(key, "Status"))).collect::<Vec<_>>(),
    });
    show::answer(show, &shown)
}

async fn keys(remote: &Remote, client: &Client, command: UserKeys) -> Result<(), Failure> {
    let set = async |user: &str, id: &str, status: &str| {
        let params = [("UserName", user), ("UserAccessKeyId", id), ("Status", status)];
        call(client, "UpdateAccessKey", &params).await.map(drop)
    };
    match command {
        UserKeys::Create { user, env_file: Some(path) } => {
            let file = EnvFile::create(&path)?;
            let key = call(client, "CreateAccessKey", &[("UserName", &user)]).await?;
            output::line(&handed_over(&remote.connection, client, file, &user, &key).await?)
        }
        UserKeys::Create { user, env_file: None } => {
            show::answer(&remote.show, &call(client, "CreateAccessKey", &[("UserName", &user)]).await?)
        }
        UserKeys::List { user } => {
            let mut rows = all(client, "ListAccessKeys", &[("UserName", &user)], "/AccessKeys/AccessKey").await?;
            for row in &mut rows {
                let params = [("UserName", user.as_str()), ("UserAccessKeyId", text(row, "AccessKeyId"))];
                let used = match client.call("GetAccessKeyLastUsed", &params).await {
                    Ok(answer) => answer.pointer("/AccessKeyLastUsed/LastUsedDate").cloned().unwrap_or_default(),
                    Err(CallError::Refused { .. }) => Value::Null,
                    Err(error) => return Err(error.into()),
                };
                if let Some(members) = row.as_object_mut() {
                    members.insert("LastUsedDate".into(), used);
                }
            }
            let columns = ["AccessKeyId", "Status", "CreateDate", "LastUsedDate"];
            show::list(&remote.show, &["ACCESS KEY", "STATUS", "CREATED", "LAST USED"], &columns, rows)
        }
        UserKeys::Disable { user, access_key_id } => set(&user, &access_key_id, "Inactive").await,
        UserKeys::Enable { user, access_key_id } => set(&user, &access_key_id, "Active").await,
        UserKeys::Delete { user, access_key_id, confirmed } => {
            confirm::loss(confirmed.yes, &format!("the access key {access_key_id} of {user} will be gone for good"))?;
            let params = [("UserName", user.as_str()), ("UserAccessKeyId", &access_key_id)];
            call(client, "DeleteAccessKey", &params).await.map(drop)
        }
    }
}

async fn delete_user(client: &Client, name: &str, yes: bool) -> Result<(), Failure> {
    call(client, "GetUser", &[("UserName", name)]).await?;
    let of = [("UserName", name)];
    let keys = all(client, "ListAccessKeys", &of, "/AccessKeys/AccessKey").await?;
    let groups = all(client, "ListGroupsForUser", &of, "/Groups/Group").await?;
    let policies = all(client, "ListPoliciesForUser", &of, "/Policies/Policy").await?;
    let what = with_it(&[
        ("access key", column(&keys, "AccessKeyId")),
        ("group", column(&groups, "GroupName")),
        ("policy", column(&policies, "PolicyName")),
    ]);
    confirm::loss(yes, &format!("the user {name} will be deleted{what}"))?;
    for key in &keys {
        let params = [("UserName", name), ("UserAccessKeyId", text(key, "AccessKeyId"))];
        call(client, "DeleteAccessKey", &params).await?;
    }
    for group in &groups {
        call(client, "RemoveUserFromGroup", &[("UserName", name), ("GroupName", text(group, "GroupName"))]).await?;
    }
    for policy in &policies {
        detach(client, USER, name, policy).await?;
    }
    call(client, "DeleteUser", &of).await.map(drop)
}

/// What goes with something, in words.
fn with_it(parts: &[(&str, Vec<String>)]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(kind, names)| format!("{kind} {}", names.join(", ")))
        .collect();
    if parts.is_empty() { String::new() } else { format!(", and its ties to {}", parts.join("; ")) }
}

pub fn group(remote: &Remote, command: Group) -> Result<(), Failure> {
    let show = &remote.show;
    let client = client(&remote.connection)?;
    block_on(async {
        match command {
            Group::Create { name, policies } => {
                let mut made = Undo::new(&client);
                let result = create(&client, GROUP, &name, &[], &policies, &mut made).await;
                made.kept(result).await?;
                output::line(&format!("group {name} was made"))
            }
            Group::List => {
                let rows = all(&client, GROUP.list, &[], "/Groups/Group").await?;
                show::list(show, &["GROUP", "CREATED", "COMMENTS"], &["GroupName", "CreateDate", "Comments"], rows)
            }
            Group::Show { name } => {
                let of = [("GroupName", name.as_str())];
                let group = call(&client, GROUP.get, &of).await?;
                let users = all(&client, "ListUsersForGroup", &of, "/Users/User").await?;
                let policies = all(&client, GROUP.policies, &of, "/Policies/Policy").await?;
                let shown = json!({
                    "Group": group.get("Group"),
                    "Users": column(&users, "UserName"),
                    "Policies": column(&policies, "PolicyName"),
                });
                show::answer(show, &shown)
            }
            Group::Add { name, user } => each_user(&client, "AddUserToGroup", &name, &user).await,
            Group::Remove { name, user } => each_user(&client, "RemoveUserFromGroup", &name, &user).await,
            Group::Grant { name, policies } => grant(&client, GROUP, &name, &policies).await,
            Group::Revoke { name, policies } => revoke(&client, GROUP, &name, &policies).await,
            Group::Delete { name, confirmed } => {
                let of = [("GroupName", name.as_str())];
                call(&client, GROUP.get, &of).await?;
                let users = all(&client, "ListUsersForGroup", &of, "/Users/User").await?;
                let policies = all(&client, GROUP.policies, &of, "/Policies/Policy").await?;
                let what =
                    with_it(&[("user", column(&users, "UserName")), ("policy", column(&policies, "PolicyName"))]);
                confirm::loss(confirmed.yes, &format!("the group {name} will be deleted{what}"))?;
                each_user(&client, "RemoveUserFromGroup", &name, &column(&users, "UserName")).await?;
                for policy in &policies {
                    detach(&client, GROUP, &name, policy).await?;
                }
                call(&client, GROUP.delete, &of).await.map(drop)
            }
        }
    })
}

async fn each_user(client: &Client, action: &str, group: &str, users: &[String]) -> Result<(), Failure> {
    for user in users {
        call(client, action, &[("GroupName", group), ("UserName", user)]).await?;
    }
    Ok(())
}

pub fn role(remote: &Remote, command: Role) -> Result<(), Failure> {
    let show = &remote.show;
    let client = client(&remote.connection)?;
    block_on(async {
        match command {
            Role::Create { name, trust, policies, max_session } => {
                let (trust, secs) = (policies::trust(&trust)?, times::seconds(&max_session)?.to_string());
                let extra = [("AssumeRolePolicyDocument", trust.as_str()), ("MaxSessionDuration", &secs)];
                let mut made = Undo::new(&client);
                let result = create(&client, ROLE, &name, &extra, &policies, &mut made).await;
                made.kept(result).await?;
                output::line(&format!("role {name} was made"))
            }
            Role::List => {
                let rows = all(&client, ROLE.list, &[], "/Roles/Role").await?;
                show::list(show, &["ROLE", "CREATED", "NAME"], &["RoleName", "CreateDate", "Arn"], rows)
            }
            Role::Show { name } => {
                let of = [("RoleName", name.as_str())];
                let role = call(&client, ROLE.get, &of).await?;
                let policies = all(&client, ROLE.policies, &of, "/Policies/Policy").await?;
                let shown = json!({"Role": role.get("Role"), "Policies": column(&policies, "PolicyName")});
                show::answer(show, &shown)
            }
            Role::Trust { name, trust } => {
                let params = [("RoleName", name.as_str()), ("NewAssumeRolePolicyDocument", &policies::trust(&trust)?)];
                call(&client, "UpdateRole", &params).await.map(drop)
            }
            Role::Grant { name, policies } => grant(&client, ROLE, &name, &policies).await,
            Role::Revoke { name, policies } => revoke(&client, ROLE, &name, &policies).await,
            Role::Delete { name, confirmed } => {
                let of = [("RoleName", name.as_str())];
                call(&client, ROLE.get, &of).await?;
                let policies = all(&client, ROLE.policies, &of, "/Policies/Policy").await?;
                let what = with_it(&[("policy", column(&policies, "PolicyName"))]);
                confirm::loss(confirmed.yes, &format!("the role {name} will be deleted, its sessions end{what}"))?;
                for policy in &policies {
                    detach(&client, ROLE, &name, policy).await?;
                }
                call(&client, ROLE.delete, &of).await.map(drop)
            }
        }
    })
}

pub fn session(remote: &Remote, command: Session) -> Result<(), Failure> {
    let client = client(&remote.connection)?;
    block_on(async {
        let Session::Start { role, name, lasting, policy, external_id, env_file } = command else {
            return show::answer(&remote.show, &call(&client, "GetCallerIdentity", &[]).await?);
        };
        let secs = times::seconds(&lasting)?.to_string();
        let policy = policy.as_deref().map(policies::session).transpose()?;
        let file = env_file.as_deref().map(EnvFile::create).transpose()?;
        let role = role_arn(&client, &role).await?;
        let mut params = vec![("RoleArn", role.as_str()), ("RoleSessionName", &name), ("DurationSeconds", &secs)];
        params.extend(policy.as_deref().map(|text| ("Policy", text)));
        params.extend(external_id.as_deref().map(|id| ("ExternalId", id)));
        let answer = call(&client, "AssumeRole", &params).await?;
        let member = |name: &str| {
            let value = answer.pointer(&format!("/Credentials/{name}")).and_then(Value::as_str);
            Zeroizing::new(value.unwrap_or_default().to_owned())
        };
        let Some(file) = file else { return show::answer(&remote.show, &answer) };
        let (path, token) = (file.path().to_owned(), member("SecurityToken"));
        let credential = Credential {
            access_key_id: &member("AccessKeyId"),
            access_key_secret: &member("AccessKeySecret"),
            security_token: Some(&token),
        };
        file.fill(&place(&remote.connection, &client), &credential)
            .map_err(|error| Failure::Local(format!("{}: {error}", path.display())))?;
        let until = member("Expiration");
        output::line(&format!("session {name} of {role}, until {}; its credentials are in {}", *until, path.display()))
    })
}

/// A role by its full name, or by its name in the caller's account.
async fn role_arn(client: &Client, given: &str) -> Result<String, Failure> {
    if given.starts_with("acs:") {
        return Ok(given.to_owned());
    }
    let caller = call(client, "GetCallerIdentity", &[]).await?;
    Ok(format!("acs:ram::{}:role/{given}", text(&caller, "AccountId")))
}

/// All rows of a list of RAM.
async fn all(client: &Client, action: &str, params: &[(&str, &str)], rows_at: &str) -> Result<Vec<Value>, Failure> {
    let (mut rows, mut marker) = (Vec::new(), None::<String>);
    let is_paged = matches!(action, "ListUsers" | "ListGroups" | "ListRoles" | "ListPolicies" | "ListUsersForGroup");
    loop {
        let mut params = params.to_vec();
        if is_paged {
            params.push(("MaxItems", ITEMS));
            params.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        }
        let mut answer = call(client, action, &params).await?;
        if let Some(Value::Array(page)) = answer.pointer_mut(rows_at).map(Value::take) {
            rows.extend(page);
        }
        marker = answer.get("Marker").and_then(Value::as_str).filter(|marker| !marker.is_empty()).map(str::to_owned);
        if answer.get("IsTruncated") != Some(&Value::Bool(true)) || marker.is_none() {
            return Ok(rows);
        }
    }
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn column(rows: &[Value], name: &str) -> Vec<String> {
    rows.iter().map(|row| text(row, name).to_owned()).collect()
}

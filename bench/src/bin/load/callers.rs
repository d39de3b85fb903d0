//! Callers that policies speak for: a user, and a session of a role; or many users.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    drive::{Caller, Failure},
    request::{Call, Credentials, Signer},
    target::Target,
};

const USER: &str = "bench-user";
const ROLE: &str = "bench-role";
const ASSUMER: &str = "bench-assumer";
/// The most access keys that a user may have.
const ACCESS_KEYS: usize = 2;
/// Custom policies of the user and of the role, of two statements each.
const POLICIES: usize = 5;

/// Makes them for the account that signs. The last statement of the last policy allows to encrypt; all others speak of
/// encrypting with keys that nobody has.
pub async fn create(target: &Target, signer: &Signer, out_dir: &Path) -> Result<(), Failure> {
    let mut root = Caller::new(target, signer).await?;
    let [account] = root.call(&any("GetCallerIdentity", &[]), ["/AccountId"]).await?;
    for number in 1..=POLICIES {
        let document = policy(&account, number).to_string();
        done(&mut root, "CreatePolicy", &[("PolicyName", &name(number)), ("PolicyDocument", &document)]).await?;
    }

    let user = create_user(&mut root, USER).await?;
    done(&mut root, "CreateRole", &[("RoleName", ROLE), ("AssumeRolePolicyDocument", &trust(&account))]).await?;
    for number in 1..=POLICIES {
        let policy = [("PolicyType", "Custom"), ("PolicyName", &*name(number))];
        done(&mut root, "AttachPolicyToUser", &[policy[0], policy[1], ("UserName", USER)]).await?;
        done(&mut root, "AttachPolicyToRole", &[policy[0], policy[1], ("RoleName", ROLE)]).await?;
    }
    write(&out_dir.join("user"), &user)?;

    let assumer = create_user(&mut root, ASSUMER).await?;
    let policy = [("PolicyType", "System"), ("PolicyName", "AliyunSTSAssumeRoleAccess"), ("UserName", ASSUMER)];
    done(&mut root, "AttachPolicyToUser", &policy).await?;
    let assumer = signer.of(assumer);
    let mut assumer = Caller::new(target, &assumer).await?;
    let role = format!("acs:ram::{account}:role/{ROLE}");
    // Narrowed as the role is: a statement about another key, and the one that allows.
    let narrowing = policy_of(&[others_key(&account, 0), format!("acs:kms:*:{account}:key/*")]).to_string();
    let assume = [("RoleArn", &*role), ("RoleSessionName", "bench"), ("Policy", &narrowing)];
    let members = ["/Credentials/AccessKeyId", "/Credentials/AccessKeySecret", "/Credentials/SecurityToken"];
    let [access_key_id, secret, token] = assumer.call(&any("AssumeRole", &assume), members).await?;
    write(&out_dir.join("session"), &Credentials { access_key_id, secret, security_token: Some(token) })
}

fn any(action: &'static str, params: &[(&'static str, &str)]) -> Call {
    let params = params.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Call::Any { action, params, expected: r#""RequestId":""# }
}

async fn done(caller: &mut Caller<'_>, action: &'static str, params: &[(&'static str, &str)]) -> Result<(), Failure> {
    let [] = caller.call(&any(action, params), []).await?;
    Ok(())
}

async fn create_user(root: &mut Caller<'_>, name: &str) -> Result<Credentials, Failure> {
    done(root, "CreateUser", &[("UserName", name)]).await?;
    create_access_key(root, name).await
}

async fn create_access_key(root: &mut Caller<'_>, name: &str) -> Result<Credentials, Failure> {
    let members = ["/AccessKey/AccessKeyId", "/AccessKey/AccessKeySecret"];
    let [access_key_id, secret] = root.call(&any("CreateAccessKey", &[("UserName", name)]), members).await?;
    Ok(Credentials { access_key_id, secret, security_token: None })
}

/// Makes users with as many access keys as they may have, so many at once as there are connections.
pub async fn create_users(
    target: &Target,
    signer: Signer,
    connections: u16,
    count: u32,
    out: &Path,
) -> Result<(), Failure> {
    let (left, signer) = (Arc::new(AtomicU32::new(count)), Arc::new(signer));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (target, left, signer) = (target.clone(), left.clone(), signer.clone());
        tasks.spawn(async move {
            let (mut root, mut made) = (Caller::new(&target, &signer).await?, Vec::new());
            while let Ok(number) = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
                let name = format!("bench-user-{number}");
                done(&mut root, "CreateUser", &[("UserName", &name)]).await?;
                let policy = [("PolicyType", "System"), ("PolicyName", "AliyunKMSFullAccess"), ("UserName", &*name)];
                done(&mut root, "AttachPolicyToUser", &policy).await?;
                for _ in 0..ACCESS_KEYS {
                    made.push(create_access_key(&mut root, &name).await?);
                }
            }
            Ok::<_, Failure>(made)
        });
    }
    let mut file = io::BufWriter::new(new_file(out)?);
    while let Some(made) = tasks.join_next().await {
        for credentials in made?? {
            writeln!(file, "{} {}", credentials.access_key_id, credentials.secret)?;
        }
    }
    Ok(file.flush()?)
}

/// What [`create_users`] wrote.
pub fn read(path: &Path) -> Result<Vec<Credentials>, Failure> {
    let credentials = |line: &str| {
        let (id, secret) = line.split_once(' ')?;
        Some(Credentials { access_key_id: id.to_owned(), secret: secret.to_owned(), security_token: None })
    };
    let all: Option<Vec<_>> = fs::read_to_string(path)?.lines().map(credentials).collect();
    all.filter(|all| !all.is_empty()).ok_or_else(|| "the file of callers is not one".into())
}

fn name(number: usize) -> String {
    format!("bench-policy-{number}")
}

/// Two statements, both about Encrypt.
fn policy(account: &str, number: usize) -> Value {
    let last = if number == POLICIES { format!("acs:kms:*:{account}:key/*") } else { others_key(account, 2 * number) };
    policy_of(&[others_key(account, 2 * number + 1), last])
}

fn policy_of(resources: &[String]) -> Value {
    let allow = |resource| json!({ "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": resource });
    json!({ "Version": "1", "Statement": resources.iter().map(allow).collect::<Vec<_>>() })
}

fn others_key(account: &str, number: usize) -> String {
    format!("acs:kms:*:{account}:key/00000000-0000-4000-8000-{number:012}")
}

fn trust(account: &str) -> String {
    let principal = json!({ "RAM": format!("acs:ram::{account}:user/{ASSUMER}") });
    let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal });
    json!({ "Version": "1", "Statement": [statement] }).to_string()
}

/// What `DIR/env` says of credentials, for others.
fn write(path: &Path, credentials: &Credentials) -> Result<(), Failure> {
    let mut file = new_file(path)?;
    let token = credentials.security_token.as_deref().unwrap_or_default();
    for (name, value) in [
        ("ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("ACCESS_KEY_SECRET", &credentials.secret),
        ("SECURITY_TOKEN", token),
    ] {
        if !value.is_empty() {
            writeln!(file, "export ALIBABA_CLOUD_{name}='{value}'")?;
        }
    }
    Ok(())
}

/// A new file that only its owner reads.
fn new_file(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use jomae_api::policy::{Form, parse};

    use super::*;

    #[test]
    fn the_policies_are_policies_and_only_the_last_statement_allows() {
        let account = "1234567890123456";
        let texts: Vec<String> = (1..=POLICIES).map(|number| policy(account, number).to_string()).collect();
        for text in &texts {
            assert_eq!(parse(text, Form::Identity).unwrap().statements.len(), 2);
        }
        assert_eq!(texts.concat().matches(":key/*").count(), 1);
        let last = policy(account, POLICIES);
        let allows = last["Statement"].as_array().unwrap().last().unwrap();
        assert_eq!(allows["Effect"], "Allow");
        assert!(allows["Resource"].as_str().unwrap().ends_with(":key/*"));
        parse(&trust(account), Form::Trust).unwrap();
    }
}

//! What the attacks need, made by the stranger's own account.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use bytes::Bytes;
use http::Version;
use hyper::client::conn::http1::SendRequest;
use serde_json::{Value, json};

use crate::calls::{Call, Caller, Content, Failure, Target, whole};

const USER: &str = "bench-stranger";
/// Groups of the user, and custom policies of each of them and of the user.
const GROUPS: usize = 10;
const POLICIES: usize = 10;
/// Longest document of a policy, in bytes (`docs/compatibility.md`).
const DOCUMENT_BYTES_MAX: usize = 6144;
/// Patterns of one condition.
const PATTERNS: usize = 4;

/// Makes a key, and a user whose policies are as costly as the service takes them.
pub async fn prepare(target: &Target, caller: &Caller, out: &Path) -> Result<String, Failure> {
    let mut root = Root { target, caller, send: target.http1().await? };
    let key = root.member("CreateKey", &[], "/KeyMetadata/KeyId").await?;
    root.good("CreateUser", &[("UserName", USER)]).await?;
    let id = root.member("CreateAccessKey", &[("UserName", USER)], "/AccessKey").await?;
    let access_key: Value = serde_json::from_str(&id)?;
    let part = |name| access_key.get(name).and_then(Value::as_str).ok_or("the access key has no id or no secret");
    let (id, secret) = (part("AccessKeyId")?, part("AccessKeySecret")?);
    let allow = json!({ "Version": "1", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    root.good("CreatePolicy", &[("PolicyName", "allow"), ("PolicyDocument", &allow.to_string())]).await?;
    root.good("AttachPolicyToUser", &[("PolicyType", "Custom"), ("PolicyName", "allow"), ("UserName", USER)]).await?;

    let (mut attached, mut bytes_max) = (0, DOCUMENT_BYTES_MAX);
    for group in 0..=GROUPS {
        let group_name = format!("g{group}");
        // The last of them go to the user itself.
        let own = group == GROUPS;
        if !own {
            root.good("CreateGroup", &[("GroupName", &group_name)]).await?;
            root.good("AddUserToGroup", &[("GroupName", &group_name), ("UserName", USER)]).await?;
        }
        for number in 0..POLICIES {
            let (action, to) = if own {
                ("AttachPolicyToUser", ("UserName", USER))
            } else {
                ("AttachPolicyToGroup", ("GroupName", &*group_name))
            };
            // A service that does not take so costly policies is right: the attack has the costliest that it gets.
            while let Some(document) = costly(group * POLICIES + number, bytes_max) {
                let name = format!("p{group}-{number}-{bytes_max}");
                let policy = [("PolicyType", "Custom"), ("PolicyName", &*name)];
                let made = root.call("CreatePolicy", &[policy[1], ("PolicyDocument", &document)]).await?.0 == 200;
                if made && root.call(action, &[policy[0], policy[1], to]).await?.0 == 200 {
                    attached += 1;
                    break;
                }
                bytes_max /= 2;
            }
        }
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
    writeln!(file, "{id}\n{secret}\n{key}")?;
    Ok(format!("policies={attached}"))
}

/// The user and the key's id, as [`prepare`] wrote them.
pub fn read(path: &Path) -> Result<(Caller, String), Failure> {
    let text = fs::read_to_string(path)?;
    match *text.lines().collect::<Vec<_>>() {
        [id, secret, key] => Ok((Caller { access_key_id: id.to_owned(), secret: secret.to_owned() }, key.to_owned())),
        _ => Err("the user's file must have three lines".into()),
    }
}

/// A policy of at most so many bytes, of patterns that a matcher which goes back tries over and over. None if there is
/// no room for one statement.
fn costly(number: usize, bytes_max: usize) -> Option<String> {
    let document = |statements: &[Value]| json!({ "Version": "1", "Statement": statements }).to_string();
    let mut statements = Vec::new();
    loop {
        let turns = (number * 7 + statements.len()) % 40 + 100;
        let pattern = format!("*{}{}*", "a?".repeat(turns), "b".repeat(1 + statements.len() % 3));
        statements.push(json!({
            "Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*",
            "Condition": { "StringLike": { "kms:EncryptionContext/k": vec![pattern; PATTERNS] } },
        }));
        if document(&statements).len() > bytes_max {
            statements.pop();
            return (!statements.is_empty()).then(|| document(&statements));
        }
    }
}

struct Root<'t> {
    target: &'t Target,
    caller: &'t Caller,
    send: SendRequest<Content>,
}

impl Root<'_> {
    async fn call(&mut self, action: &str, form: &[(&str, &str)]) -> Result<(u16, Bytes), Failure> {
        self.send.ready().await?;
        let request = self.target.signed(Version::HTTP_11, self.caller, &Call::new(action, form))?;
        whole(self.send.send_request(request).await?).await
    }

    async fn good(&mut self, action: &str, form: &[(&str, &str)]) -> Result<Bytes, Failure> {
        match self.call(action, form).await? {
            (200, body) => Ok(body),
            (status, body) => Err(format!("{action}: {status} {}", String::from_utf8_lossy(&body)).into()),
        }
    }

    /// The text at a JSON pointer (RFC 6901) of a good answer; JSON, if it is no string.
    async fn member(&mut self, action: &str, form: &[(&str, &str)], pointer: &str) -> Result<String, Failure> {
        let value: Value = serde_json::from_slice(&self.good(action, form).await?)?;
        let found = value.pointer(pointer).ok_or_else(|| format!("{action}: no {pointer}"))?;
        Ok(found.as_str().map_or_else(|| found.to_string(), str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costly_policies_are_as_long_as_they_may_be() {
        for number in 0..(GROUPS + 1) * POLICIES {
            for bytes_max in [DOCUMENT_BYTES_MAX, DOCUMENT_BYTES_MAX / 2] {
                let bytes = costly(number, bytes_max).expect("there is room").len();
                assert!((bytes_max / 2..=bytes_max).contains(&bytes), "{bytes} of {bytes_max}");
            }
            assert!(costly(number, 500).is_none());
        }
    }
}

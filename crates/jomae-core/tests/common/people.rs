//! Users, roles and sessions of an account.

use serde_json::{Value, json};

use super::{Client, Credentials};

/// A policy of one statement that allows actions on a resource.
pub fn allow(actions: &[&str], resource: &str) -> String {
    document(&[json!({ "Effect": "Allow", "Action": actions, "Resource": resource })])
}

/// A policy of these statements.
pub fn document(statements: &[Value]) -> String {
    json!({ "Version": "1", "Statement": statements }).to_string()
}

/// A trust policy that names these principals.
pub fn trust(principals: &[&str]) -> String {
    document(&[json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "RAM": principals } })])
}

impl Client<'_> {
    /// A user without any right, with an access key.
    pub fn user(&self, name: &str) -> Credentials {
        self.ok("CreateUser", &[("UserName", name)]);
        self.access_key(name)
    }

    /// A further access key of a user.
    pub fn access_key(&self, name: &str) -> Credentials {
        let made = self.ok("CreateAccessKey", &[("UserName", name)]);
        let text = |member: &str| made["AccessKey"][member].as_str().unwrap().to_owned();
        Credentials {
            account: self.credentials.account.clone(),
            id: text("AccessKeyId"),
            secret: text("AccessKeySecret").into_bytes(),
            token: None,
        }
    }

    pub fn policy(&self, name: &str, document: &str) {
        self.ok("CreatePolicy", &[("PolicyName", name), ("PolicyDocument", document)]);
    }

    /// Attaches a policy of the account: `("User", "alice")`.
    pub fn attach(&self, policy: &str, (kind, name): (&str, &str)) {
        self.attaching("AttachPolicyTo", ("Custom", policy), (kind, name));
    }

    pub fn attach_system(&self, policy: &str, to: (&str, &str)) {
        self.attaching("AttachPolicyTo", ("System", policy), to);
    }

    pub fn detach(&self, policy: &str, from: (&str, &str)) {
        self.attaching("DetachPolicyFrom", ("Custom", policy), from);
    }

    fn attaching(&self, verb: &str, (of, policy): (&str, &str), (kind, name): (&str, &str)) {
        let named = format!("{kind}Name");
        let params = [("PolicyType", of), ("PolicyName", policy), (named.as_str(), name)];
        self.done(&format!("{verb}{kind}"), &params);
    }

    /// A user with one policy of this document, called as the user.
    pub fn user_with(&self, name: &str, document: &str) -> Credentials {
        let user = self.user(name);
        let policy = format!("of-{}", name.replace(['.', '_', '@'], "-"));
        self.policy(&policy, document);
        self.attach(&policy, ("User", name));
        user
    }

    /// A role with one policy of this document; its full name.
    pub fn role_with(&self, name: &str, trust: &str, document: &str) -> String {
        let made = self.ok("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", trust)]);
        let policy = format!("of-role-{name}");
        self.policy(&policy, document);
        self.attach(&policy, ("Role", name));
        made["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    /// Temporary credentials of a role.
    #[track_caller]
    pub fn assume(&self, role: &str, more: &[(&str, &str)]) -> Credentials {
        let params = [&[("RoleArn", role), ("RoleSessionName", "session")], more].concat();
        let answer = self.ok("AssumeRole", &params);
        let text = |member: &str| answer["Credentials"][member].as_str().unwrap().to_owned();
        let account = role.split(':').nth(3).and_then(jomae_api::names::AccountId::new).unwrap();
        Credentials {
            account,
            id: text("AccessKeyId"),
            secret: text("AccessKeySecret").into_bytes(),
            token: Some(text("SecurityToken")),
        }
    }
}

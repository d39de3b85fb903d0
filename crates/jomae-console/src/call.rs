//! The calls behind a page, to be copied: as command line, as Python and as Terraform.

use std::fmt::Write as _;

/// A call of the API that a page has made.
#[derive(Clone, Debug)]
pub struct MadeCall {
    /// As `Kms`.
    pub service: &'static str,
    /// As `2016-01-20`.
    pub version: &'static str,
    pub action: String,
    /// In the order of the request.
    pub params: Vec<(String, String)>,
}

/// What stands in the place of a plaintext, which no page repeats.
const PLAINTEXT_FILE: &str = "plaintext.txt";

impl MadeCall {
    fn shown(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.params.iter().map(|(name, value)| (name.as_str(), value.as_str(), name == "Plaintext"))
    }

    /// `jomae call …`, for a POSIX shell.
    pub fn cli(&self) -> String {
        let mut text = format!("jomae call {}", self.action);
        for (name, value, is_secret) in self.shown() {
            let value = if is_secret { format!("@{PLAINTEXT_FILE}") } else { shell_word(value) };
            // Writing to a text cannot fail.
            let _ = write!(text, " --{name} {value}");
        }
        text
    }

    /// With the official SDK's core package.
    pub fn python(&self) -> String {
        let mut text = format!(
            "import os\nfrom aliyunsdkcore.client import AcsClient\nfrom aliyunsdkcore.request import CommonRequest\n\n\
             env = os.environ\n\
             client = AcsClient(env[\"ALIBABA_CLOUD_ACCESS_KEY_ID\"], env[\"ALIBABA_CLOUD_ACCESS_KEY_SECRET\"], \
             env[\"JOMAE_REGION\"])\n\
             request = CommonRequest(domain=env[\"JOMAE_ENDPOINT\"].removeprefix(\"https://\"), version={}, action_name={}, \
             product={})\nrequest.set_protocol_type(\"https\")\nrequest.set_method(\"POST\")\n",
            literal(self.version),
            literal(&self.action),
            literal(self.service)
        );
        if self.shown().any(|(.., is_secret)| is_secret) {
            let _ = writeln!(
                text,
                "import base64\nplaintext = base64.b64encode(open(\"{PLAINTEXT_FILE}\", \"rb\").read()).decode()"
            );
        }
        for (name, value, is_secret) in self.shown() {
            let value = if is_secret { "plaintext".to_owned() } else { literal(value) };
            let _ = writeln!(text, "request.add_body_params({}, {value})", literal(name));
        }
        text.push_str("print(client.do_action_with_exception(request).decode())");
        text
    }

    /// The resource of the provider `alicloud` that makes the same, if there is one.
    pub fn terraform(&self) -> Option<String> {
        let (resource, members): (&str, &[(&str, &str)]) = match self.action.as_str() {
            "CreateKey" => (
                "alicloud_kms_key",
                &[
                    ("Description", "description"),
                    ("KeySpec", "key_spec"),
                    ("KeyUsage", "key_usage"),
                    ("Origin", "origin"),
                ],
            ),
            "CreateAlias" => ("alicloud_kms_alias", &[("AliasName", "alias_name"), ("KeyId", "key_id")]),
            "CreateUser" => (
                "alicloud_ram_user",
                &[("UserName", "name"), ("DisplayName", "display_name"), ("Comments", "comments")],
            ),
            "CreatePolicy" => (
                "alicloud_ram_policy",
                &[("PolicyName", "policy_name"), ("PolicyDocument", "policy_document"), ("Description", "description")],
            ),
            "AttachPolicyToUser" => (
                "alicloud_ram_user_policy_attachment",
                &[("PolicyName", "policy_name"), ("PolicyType", "policy_type"), ("UserName", "user_name")],
            ),
            "CreateGroup" => ("alicloud_ram_group", &[("GroupName", "group_name"), ("Comments", "comments")]),
            "CreateRole" => (
                "alicloud_ram_role",
                &[
                    ("RoleName", "role_name"),
                    ("AssumeRolePolicyDocument", "assume_role_policy_document"),
                    ("Description", "description"),
                    ("MaxSessionDuration", "max_session_duration"),
                ],
            ),
            "AttachPolicyToGroup" => (
                "alicloud_ram_group_policy_attachment",
                &[("PolicyName", "policy_name"), ("PolicyType", "policy_type"), ("GroupName", "group_name")],
            ),
            "AttachPolicyToRole" => (
                "alicloud_ram_role_policy_attachment",
                &[("PolicyName", "policy_name"), ("PolicyType", "policy_type"), ("RoleName", "role_name")],
            ),
            "CreateAccessKey" => ("alicloud_ram_access_key", &[("UserName", "user_name")]),
            _ => return None,
        };
        let mut text = format!("resource \"{resource}\" \"this\" {{\n");
        for (name, value, _) in self.shown() {
            if let Some((_, member)) = members.iter().find(|(param, _)| *param == name) {
                let _ = writeln!(text, "  {member} = {}", literal(value).replace("${", "$${").replace("%{", "%%{"));
            }
        }
        text.push('}');
        Some(text)
    }
}

/// A word for a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:%".contains(c);
    // The command line reads a value that begins with @ from a file.
    let text = if text.starts_with('@') { format!("@{text}") } else { text.to_owned() };
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A text as JSON, Python and Terraform write it.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(action: &str, params: &[(&str, &str)]) -> MadeCall {
        let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        MadeCall { service: "Kms", version: "2016-01-20", action: action.to_owned(), params }
    }

    #[test]
    fn values_stay_values() {
        let hostile = "'; rm -rf / #\"\n${x}";
        let call = call("CreateKey", &[("Description", hostile), ("Plaintext", "c2VjcmV0")]);
        assert_eq!(
            call.cli(),
            "jomae call CreateKey --Description ''\\''; rm -rf / #\"\n${x}' --Plaintext @plaintext.txt"
        );
        let python = call.python();
        assert!(python.contains(r#"add_body_params("Description", "'; rm -rf / #\"\n${x}")"#), "{python}");
        assert!(!python.contains("c2VjcmV0"));
        let terraform = call.terraform().unwrap();
        assert!(terraform.contains(r#"description = "'; rm -rf / #\"\n$${x}""#), "{terraform}");
    }

    #[test]
    fn what_makes_something_has_a_resource() {
        let made = call("CreateRole", &[("RoleName", "signer"), ("MaxSessionDuration", "7200")]);
        let expected =
            "resource \"alicloud_ram_role\" \"this\" {\n  role_name = \"signer\"\n  max_session_duration = \"7200\"\n}";
        assert_eq!(made.terraform().as_deref(), Some(expected));
        let attached =
            call("AttachPolicyToGroup", &[("GroupName", "g"), ("PolicyName", "p"), ("PolicyType", "System")]);
        assert!(attached.terraform().unwrap().contains("  group_name = \"g\"\n  policy_name = \"p\""));
    }

    #[test]
    fn what_only_asks_has_no_resource() {
        assert!(call("ListKeys", &[]).terraform().is_none());
        assert_eq!(call("ListKeys", &[("PageSize", "10")]).cli(), "jomae call ListKeys --PageSize 10");
        assert_eq!(call("X", &[("Y", "@file")]).cli(), "jomae call X --Y '@@file'");
    }
}

//! Parameters and members of answers that the actions on policies share.

use crate::{
    actions::{prelude::*, ram::names::checked},
    answer::wire_enum,
    policy::{self, Form},
};

wire_enum!(
    /// Whose a policy is.
    PolicyType {
        /// Comes with the service.
        System = "System",
        /// Of the account.
        Custom = "Custom",
    }
);

/// A policy by its full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRef {
    /// Whether the account or the service owns it.
    pub kind: PolicyType,
    /// Within its kind.
    pub name: String,
}

impl PolicyRef {
    /// Reads `PolicyType` and `PolicyName`.
    pub fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        Ok(Self { kind: input.required(&POLICY_TYPE)?, name: input.required(&POLICY_NAME)? })
    }

    /// What a permission on it is needed on.
    pub fn target(&self) -> Target<'_> {
        let kind = match self.kind {
            PolicyType::System => RamKind::SystemPolicy,
            PolicyType::Custom => RamKind::Policy,
        };
        Target::Ram(kind, &self.name)
    }
}

param! {
    /// The policy.
    pub POLICY_NAME: String = Text "PolicyName", text!([limits::RAM_POLICY_NAME_CHARS] " letters, digits and -"),
        public, refuses(&[Refusal::PolicyNameLength, Refusal::PolicyNameChars]) => |text| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        checked(text, &limits::RAM_POLICY_NAME_CHARS, allowed, Refusal::PolicyNameLength, Refusal::PolicyNameChars)
    };

    /// Whether the policy comes with the service or is one of the account.
    pub POLICY_TYPE: PolicyType = Text "PolicyType", "System or Custom", public, refuses(&[Refusal::PolicyTypeInvalid]) =>
        |text| PolicyType::from_wire(text).ok_or(Invalid::As(Refusal::PolicyTypeInvalid));

    /// What the policy allows and denies. Not a secret: it stands in the audit log.
    pub POLICY_DOCUMENT: String = Json "PolicyDocument",
        text!("JSON of a policy, at most " {limits::RAM_POLICY_BYTES_MAX} " bytes, Version 1"), public,
        refuses(&[Refusal::PolicyDocumentLength, MALFORMED, Refusal::PolicyCost(TooCostly::ANY)]) =>
        |text| document(text, Form::Identity);

    /// What it is for.
    pub DESCRIPTION: String = Text "Description", text!("0–" {limits::RAM_DESCRIPTION_CHARS_MAX} " characters"), public,
        refuses(&[Refusal::RamDescriptionLength]) => description;

    /// What it is for from now on; empty: nothing.
    pub NEW_DESCRIPTION: String = Text "NewDescription",
        text!("at most " {limits::RAM_DESCRIPTION_CHARS_MAX} " characters"), public,
        refuses(&[Refusal::RamDescriptionLength]) => description;

    /// The version of the policy.
    pub VERSION_ID: u32 = Text "VersionId", "v and the number of a version, such as v3", public,
        refuses(&[Refusal::PolicyVersionFormat]) =>
        |text| parse_version(text).ok_or(Invalid::As(Refusal::PolicyVersionFormat));

    /// Whether the new version is the one that counts, at once and wherever the policy is attached.
    pub SET_AS_DEFAULT: bool = Boolean "SetAsDefault", "true or false (default)", public => parse_bool;
}

wire_enum!(
    /// What a new version does when there are five.
    #[derive(Default)]
    RotateStrategy {
        /// It is refused.
        #[default]
        None = "None",
        /// The oldest one that does not count makes room.
        DeleteOldestNonDefault = "DeleteOldestNonDefaultVersionWhenLimitExceeded",
    }
);

param! {
    /// Whether the oldest version that is not the default makes room when there are five.
    pub ROTATE_STRATEGY: RotateStrategy = Text "RotateStrategy",
        "None (default) or DeleteOldestNonDefaultVersionWhenLimitExceeded", public =>
        |text| RotateStrategy::from_wire(text).ok_or(Invalid::Value);

    /// Whether all versions go with the policy. Without it only the default one may be left.
    pub CASCADING_DELETE: bool = Boolean "CascadingDelete", "true or false (default)", public => parse_bool;

    /// Tags of policies and roles: refused rather than ignored.
    pub TAG: () = Pairs "Tag", NOT_OFFERED => not_offered;
}

/// Refuses tags, in whatever form they come.
pub(in crate::actions::ram) fn no_tags(input: Input<'_>) -> Result<(), Refusal> {
    if input.pairs(&TAG)?.is_empty() { Ok(()) } else { Err(Refusal::ParameterInvalid("Tag")) }
}

param! {
    /// Narrows an attachment to a resource group: refused rather than ignored, since the rights would reach further.
    pub RESOURCE_GROUP_ID: () = Text "ResourceGroupId", NOT_OFFERED => not_offered;
}

/// A document that is well formed, as its text.
pub(in crate::actions::ram) fn document(text: &str, form: Form) -> Result<String, Invalid> {
    if text.len() > form.bytes_max() {
        return Err(Invalid::As(Refusal::PolicyDocumentLength));
    }
    match policy::parse(text, form) {
        Ok(_) => Ok(text.to_owned()),
        Err(place) => Err(Invalid::As(Refusal::MalformedPolicyDocument(place))),
    }
}

pub(in crate::actions::ram) fn description(text: &str) -> Result<String, Invalid> {
    if text.chars().count() > limits::RAM_DESCRIPTION_CHARS_MAX {
        return Err(Invalid::As(Refusal::RamDescriptionLength));
    }
    Ok(text.to_owned())
}

/// The number in `v<number>`, written as we write it.
fn parse_version(text: &str) -> Option<u32> {
    let number = text.strip_prefix('v')?.parse().ok().filter(|number| *number > 0)?;
    (version_id(number) == text).then_some(number)
}

/// `v<number>`.
pub fn version_id(number: u32) -> String {
    format!("v{number}")
}

answer! {
    /// A version of a policy in an answer.
    pub struct VersionRow as "PolicyVersion" {
        /// v and a number.
        version_id: String => "VersionId",
        /// Whether it is the one that counts.
        is_default_version: bool => "IsDefaultVersion",
        /// When it was made.
        create_date: Timestamp => "CreateDate",
        /// The document, as JSON text.
        policy_document: String => "PolicyDocument",
    }

    /// A policy in an answer.
    pub struct PolicyRow as "Policy" {
        /// Name of the policy.
        policy_name: String => "PolicyName",
        /// Whether it comes with the service or is one of the account.
        policy_type: PolicyType => "PolicyType",
        /// What it is for.
        description: String => "Description",
        /// The version that counts, such as v1.
        default_version: String => "DefaultVersion",
        /// When it was made; of a policy of the service always the same.
        create_date: Timestamp => "CreateDate",
        /// When it or its versions were last changed.
        update_date: Timestamp => "UpdateDate",
        /// To how many users, groups and roles it is attached; absent from answers to changes.
        attachment_count: Option<u32> => "AttachmentCount",
    }

    /// An attached policy in an answer.
    pub struct AttachedRow as "Policy" {
        /// Name of the policy.
        policy_name: String => "PolicyName",
        /// Whether it comes with the service or is one of the account.
        policy_type: PolicyType => "PolicyType",
        /// What it is for.
        description: String => "Description",
        /// The version that counts, such as v1.
        default_version: String => "DefaultVersion",
        /// When the policy was attached.
        attach_date: Timestamp => "AttachDate",
    }

    /// The answer of ListPoliciesForUser, …ForGroup and …ForRole.
    pub struct AttachedOutput {
        /// The policies, in the order of their attachment.
        policies: List<AttachedRow> => "Policies",
    }

    /// An answer with one version of a policy.
    pub struct VersionOutput {
        /// The version.
        policy_version: VersionRow => "PolicyVersion",
    }

    /// The answer of CreatePolicy and UpdatePolicyDescription.
    pub struct PolicyOutput {
        /// The policy.
        policy: PolicyRow => "Policy",
    }
}

/// For examples: a policy that allows one action.
pub(in crate::actions::ram) const EXAMPLE_DOCUMENT: &str =
    r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}]}"#;

/// For declarations: any mistake in a document.
pub(in crate::actions::ram) const MALFORMED: Refusal =
    Refusal::MalformedPolicyDocument(Malformed { statement: 1, element: "Effect", reason: "must be Allow or Deny" });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::ParamInfo;
    use proptest::prelude::*;

    #[test]
    fn versions_are_read_as_they_are_written() {
        for number in [1, 9, 10, u32::MAX] {
            assert_eq!(parse_version(&version_id(number)), Some(number));
        }
        for bad in ["", "v", "1", "v0", "v01", "v+1", "V1", "v1 ", "v4294967296"] {
            assert_eq!(parse_version(bad), None, "{bad}");
        }
    }

    /// Anything may be pasted by mistake: only what is a policy may stand in the audit log.
    #[test]
    fn only_valid_documents_show() {
        assert!(POLICY_DOCUMENT.shows(EXAMPLE_DOCUMENT));
        assert!(!POLICY_DOCUMENT.shows("hunter2") && !POLICY_DOCUMENT.shows(r#"{"password":"hunter2"}"#));
        let over = format!("{EXAMPLE_DOCUMENT}{}", " ".repeat(6144));
        assert_eq!(document(&over, Form::Identity), Err(Invalid::As(Refusal::PolicyDocumentLength)));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            let _ = parse_version(&text);
            let _ = document(&text, Form::Trust);
        }
    }
}

//! Members of the answers on policies and roles.

use super::members::{
    Member,
    Shape::{Boolean, Choice, Date, Integer, List, Object, Text},
    always, maybe,
};

fn types() -> Vec<&'static str> {
    vec!["System", "Custom"]
}

const POLICY_NAME: Member = always("PolicyName", Text, "Name of the policy.");
const POLICY_TYPE: Member =
    always("PolicyType", Choice(types), "Whether it comes with the service or is one of the account.");
const DESCRIPTION: Member = always("Description", Text, "What it is for.");
const DEFAULT_VERSION: Member = always("DefaultVersion", Text, "The version that counts, such as v1.");
const ATTACH_DATE: Member = always("AttachDate", Date, "When the policy was attached.");
const ROLE_ID: Member = always("RoleId", Text, "ID of the role: 18 digits, which no other role ever has.");
const ROLE_NAME: Member = always("RoleName", Text, "Name of the role.");
const ROLE_ARN: Member = always("Arn", Text, "Full name of the role, with its name as it was given.");

/// A policy.
pub const POLICY: &[Member] = &[
    POLICY_NAME,
    POLICY_TYPE,
    DESCRIPTION,
    DEFAULT_VERSION,
    always("CreateDate", Date, "When it was made; of a policy of the service always the same."),
    always("UpdateDate", Date, "When it or its versions were last changed."),
    maybe(
        "AttachmentCount",
        Integer,
        "To how many users, groups and roles it is attached; absent from answers to changes.",
    ),
];

/// A version of a policy.
pub const POLICY_VERSION: &[Member] = &[
    always("VersionId", Text, "v and a number."),
    always("IsDefaultVersion", Boolean, "Whether it is the one that counts."),
    always("CreateDate", Date, "When it was made."),
    always("PolicyDocument", Text, "The document, as JSON text."),
];

/// A policy that is attached to somebody.
pub const ATTACHED_POLICY: &[Member] = &[POLICY_NAME, POLICY_TYPE, DESCRIPTION, DEFAULT_VERSION, ATTACH_DATE];

/// A role.
pub const ROLE: &[Member] = &[
    ROLE_ID,
    ROLE_NAME,
    ROLE_ARN,
    DESCRIPTION,
    always("CreateDate", Date, "When it was made."),
    always("UpdateDate", Date, "When it was last changed."),
    always("MaxSessionDuration", Integer, "Longest session, in seconds."),
    always("AllowConsoleLogin", Boolean, "Always false: there is no console."),
    maybe("AssumeRolePolicyDocument", Text, "Who may assume it, as JSON text; absent from lists."),
];

/// A user to whom a policy is attached.
pub const USER_WITH_POLICY: &[Member] = &[
    always("UserId", Text, "ID of the user."),
    always("UserName", Text, "Name of the user."),
    always("DisplayName", Text, "The name for people."),
    ATTACH_DATE,
];

/// A group to which a policy is attached.
pub const GROUP_WITH_POLICY: &[Member] =
    &[always("GroupName", Text, "Name of the group."), always("Comments", Text, "Notes."), ATTACH_DATE];

/// A role to which a policy is attached.
pub const ROLE_WITH_POLICY: &[Member] = &[ROLE_ID, ROLE_NAME, ROLE_ARN, DESCRIPTION, ATTACH_DATE];

const THE_POLICY: Member = always("Policy", Object(POLICY), "The policy.");
const THE_VERSION: Member = always("PolicyVersion", Object(POLICY_VERSION), "The version.");
const ATTACHED: Member =
    always("Policies", List("Policy", ATTACHED_POLICY), "The policies, in the order of their attachment.");
const THE_ROLE: Member = always("Role", Object(ROLE), "The role.");

/// By action, since other actions have other members of some of these names.
pub(super) const BY_ACTION: &[(&str, Member)] = &[
    ("CreatePolicy", THE_POLICY),
    ("GetPolicy", THE_POLICY),
    ("GetPolicy", always("DefaultPolicyVersion", Object(POLICY_VERSION), "The version that counts.")),
    ("UpdatePolicyDescription", THE_POLICY),
    ("ListPolicies", always("Policies", List("Policy", POLICY), "The page.")),
    ("CreatePolicyVersion", THE_VERSION),
    ("GetPolicyVersion", THE_VERSION),
    (
        "ListPolicyVersions",
        always("PolicyVersions", List("PolicyVersion", POLICY_VERSION), "The versions, the oldest first."),
    ),
    ("ListPoliciesForUser", ATTACHED),
    ("ListPoliciesForGroup", ATTACHED),
    ("ListPoliciesForRole", ATTACHED),
    ("ListEntitiesForPolicy", always("Users", List("User", USER_WITH_POLICY), "Users with the policy.")),
    ("ListEntitiesForPolicy", always("Groups", List("Group", GROUP_WITH_POLICY), "Groups with the policy.")),
    ("ListEntitiesForPolicy", always("Roles", List("Role", ROLE_WITH_POLICY), "Roles with the policy.")),
    ("CreateRole", THE_ROLE),
    ("GetRole", THE_ROLE),
    ("UpdateRole", THE_ROLE),
    ("ListRoles", always("Roles", List("Role", ROLE), "The page.")),
];

//! What the members of answers are. The declarations name them; their shapes stand here, held by a test against the
//! types that are written.

use Shape::{Base64, Boolean, Choice, Counts, Date, DateOrEmpty, Events, Integer, List, Object, Text};

use crate::{
    actions::metadata::{KeySpec, KeyUsage},
    spec::Algorithm,
};

/// A member of an answer.
#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub shape: Shape,
    /// Whether it may be absent.
    pub optional: bool,
    /// Not in the cloud's API.
    pub extension: bool,
    pub doc: &'static str,
}

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text,
    /// `YYYY-MM-DDThh:mm:ssZ`.
    Date,
    /// A date, or the empty text where none applies.
    DateOrEmpty,
    /// Standard Base64 with padding.
    Base64,
    Integer,
    Boolean,
    /// One of these texts.
    Choice(fn() -> Vec<&'static str>),
    Object(&'static [Member]),
    /// An object with one member of this name: the list of the rows.
    List(&'static str, &'static [Member]),
    /// Numbers under names that are not known beforehand.
    Counts,
    /// A list of recorded events, in ActionTrail's form.
    Events,
}

pub(super) const fn always(name: &'static str, shape: Shape, doc: &'static str) -> Member {
    Member { name, shape, optional: false, extension: false, doc }
}

pub(super) const fn maybe(name: &'static str, shape: Shape, doc: &'static str) -> Member {
    Member { name, shape, optional: true, extension: false, doc }
}

const fn extension(name: &'static str, shape: Shape, doc: &'static str) -> Member {
    Member { name, shape, optional: true, extension: true, doc }
}

fn specs() -> Vec<&'static str> {
    KeySpec::ALL.iter().map(|spec| spec.as_str()).collect()
}

fn usages() -> Vec<&'static str> {
    KeyUsage::ALL.iter().map(|usage| usage.as_str()).collect()
}

fn algorithms() -> Vec<&'static str> {
    Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect()
}

fn states() -> Vec<&'static str> {
    vec!["Enabled", "Disabled", "PendingDeletion", "PendingImport"]
}

fn origins() -> Vec<&'static str> {
    vec!["Aliyun_KMS", "EXTERNAL"]
}

fn rotation() -> Vec<&'static str> {
    vec!["Enabled", "Disabled", "Suspended"]
}

fn on_or_off() -> Vec<&'static str> {
    vec!["Enabled", "Disabled"]
}

const KEY_ID: Member = always("KeyId", Text, "ID of the key, whatever form the request named it in.");
const VERSION_ID: Member = always("KeyVersionId", Text, "ID of the version.");

/// `KeyMetadata` of CreateKey and DescribeKey.
pub const KEY_METADATA: &[Member] = &[
    KEY_ID,
    always("Arn", Text, "Full name of the key."),
    always("Creator", Text, "Account that made the key."),
    always("CreationDate", Date, "When it was made."),
    always("Description", Text, "What the key is for."),
    always("KeySpec", Choice(specs), "What kind of key it is."),
    always("KeyUsage", Choice(usages), "What it may do."),
    always("KeyState", Choice(states), "Where it stands in its life."),
    always("Origin", Choice(origins), "Who made the material."),
    always("ProtectionLevel", Text, "Always SOFTWARE."),
    maybe(
        "PrimaryKeyVersion",
        Text,
        "The version that encrypts; of an asymmetric key the first one. Absent for an EXTERNAL key that never had material.",
    ),
    always("DeleteDate", DateOrEmpty, "When the key will be destroyed."),
    always("MaterialExpireTime", DateOrEmpty, "When imported material will be forgotten."),
    always("LastRotationDate", Date, "When the newest version was made."),
    always("AutomaticRotation", Choice(rotation), "Suspended: on, but the key is Disabled or PendingDeletion."),
    maybe("RotationInterval", Text, "Seconds between rotations, with an s behind, while rotation is on."),
    maybe("NextRotationDate", Date, "When the next version will be made, while rotation is on."),
    maybe("DeletionProtection", Choice(on_or_off), "DescribeKey only."),
    maybe("DeletionProtectionDescription", Text, "DescribeKey only: why it is protected."),
];

/// `UsageStatistics`.
pub const USAGE_STATISTICS: &[Member] = &[
    maybe("FirstUsed", Date, "First use."),
    maybe("LastUsed", Date, "Last use."),
    always("LastUsedBy", Text, "Access key of the last caller."),
    always("Calls", Counts, "Successful calls by action."),
];

/// A row of a list of versions.
pub const KEY_VERSION: &[Member] = &[KEY_ID, VERSION_ID, always("CreationDate", Date, "When it was made.")];

/// A row of ListKeys.
pub const KEY_ROW: &[Member] = &[KEY_ID, always("KeyArn", Text, "Full name of the key.")];

/// A row of a list of aliases.
pub const ALIAS_ROW: &[Member] = &[
    always("AliasName", Text, "The alias, with its prefix."),
    always("AliasArn", Text, "Full name of the alias."),
    KEY_ID,
];

/// A row of ListResourceTags.
pub const TAG_ROW: &[Member] =
    &[KEY_ID, always("TagKey", Text, "Key of the tag."), always("TagValue", Text, "Value of the tag.")];

/// A row of ListTagResources.
pub const TAG_RESOURCE_ROW: &[Member] = &[
    always("ResourceId", Text, "ID of the key."),
    always("ResourceType", Text, "Always key."),
    always("TagKey", Text, "Key of the tag."),
    always("TagValue", Text, "Value of the tag."),
];

/// A row of DescribeRegions.
pub const REGION_ROW: &[Member] = &[always("RegionId", Text, "Name of the region.")];

/// A user.
pub const USER: &[Member] = &[
    always("UserId", Text, "ID of the user: 18 digits, which no other user ever has."),
    USER_NAME,
    always("DisplayName", Text, "The name for people."),
    always("MobilePhone", Text, "Telephone number."),
    always("Email", Text, "Mail address."),
    always("Comments", Text, "Notes."),
    always("CreateDate", Date, "When it was made."),
    maybe("UpdateDate", Date, "When it was last changed; not in the answer of CreateUser."),
];

/// A row of ListUsersForGroup.
pub const GROUP_MEMBER: &[Member] = &[
    USER_NAME,
    always("DisplayName", Text, "The name for people."),
    always("JoinDate", Date, "When the user came into the group."),
];

/// A group.
pub const GROUP: &[Member] = &[
    GROUP_ID,
    GROUP_NAME,
    always("Comments", Text, "Notes."),
    always("CreateDate", Date, "When it was made."),
    maybe("UpdateDate", Date, "When it was last changed; not in the answer of CreateGroup."),
];

/// A row of ListGroupsForUser.
pub const JOINED_GROUP: &[Member] = &[
    GROUP_ID,
    GROUP_NAME,
    always("Comments", Text, "Notes."),
    always("JoinDate", Date, "When the user came into the group."),
];

const USER_NAME: Member = always("UserName", Text, "Name of the user.");
const GROUP_ID: Member = always("GroupId", Text, "ID of the group: 18 digits, which no other group ever has.");
const GROUP_NAME: Member = always("GroupName", Text, "Name of the group.");
const ACCESS_KEY_ID: Member = always("AccessKeyId", Text, "ID of the access key.");
const ACCESS_KEY_STATUS: Member = always("Status", Choice(access_key_states), "Whether it may be used.");

fn access_key_states() -> Vec<&'static str> {
    vec!["Active", "Inactive"]
}

/// A row of ListAccessKeys.
pub const ACCESS_KEY_ROW: &[Member] =
    &[ACCESS_KEY_ID, ACCESS_KEY_STATUS, always("CreateDate", Date, "When it was made.")];

/// A new access key.
pub const NEW_ACCESS_KEY: &[Member] = &[
    ACCESS_KEY_ID,
    always("AccessKeySecret", Text, "The secret. Shown here and never again."),
    ACCESS_KEY_STATUS,
    always("CreateDate", Date, "When it was made."),
];

/// The last use of an access key.
pub const ACCESS_KEY_LAST_USED: &[Member] = &[
    always("LastUsedDate", DateOrEmpty, "When, to the minute; empty if never."),
    Member {
        name: "ServiceName",
        shape: Text,
        optional: false,
        extension: true,
        doc: "The API, such as Kms; empty if never.",
    },
];

const REQUEST_ID: Member = always("RequestId", Text, "ID of the request, also in the header x-acs-request-id.");

/// What the members are, by name.
const MEMBERS: &[Member] = &[
    REQUEST_ID,
    KEY_ID,
    VERSION_ID,
    always("AccessKey", Object(NEW_ACCESS_KEY), "The access key."),
    always("AccessKeyLastUsed", Object(ACCESS_KEY_LAST_USED), "The last use."),
    always("AccessKeys", List("AccessKey", ACCESS_KEY_ROW), "The access keys, the oldest first."),
    always("AccountStatus", Text, "Always Enabled."),
    always("Algorithm", Choice(algorithms), "As in the request."),
    always("Aliases", List("Alias", ALIAS_ROW), "The page."),
    always("CiphertextBlob", Base64, "The ciphertext."),
    always("ExportedDataKey", Base64, "The data key, encrypted under the public key of the request."),
    always("Group", Object(GROUP), "The group."),
    always("Groups", List("Group", GROUP), "The page."),
    always("ImportToken", Base64, "Goes back with the material."),
    always("IsTruncated", Boolean, "Whether there are more rows."),
    always("KeyMetadata", Object(KEY_METADATA), "The key."),
    always("KeyVersion", Object(KEY_VERSION), "The version."),
    always("KeyVersions", List("KeyVersion", KEY_VERSION), "The page."),
    always("Keys", List("Key", KEY_ROW), "The page."),
    always("Mac", Base64, "The MAC."),
    maybe("Marker", Text, "Where the next page begins; absent at the end."),
    always("NextToken", Text, "Where the next page begins; empty at the end."),
    always("PageNumber", Integer, "As in the request."),
    always("PageSize", Integer, "As in the request."),
    always("Plaintext", Base64, "The plaintext. A secret."),
    always("Policy", Text, "The policy, as JSON text."),
    always("Regions", List("Region", REGION_ROW), "The regions."),
    always("TagResources", List("TagResource", TAG_RESOURCE_ROW), "The page."),
    always("Tags", List("Tag", TAG_ROW), "The tags."),
    always("TokenExpireTime", Date, "Until when token and public key are good."),
    always("TotalCount", Integer, "Rows of all pages."),
    always("User", Object(USER), "The user."),
    always("Users", List("User", USER), "The page."),
    extension(
        "UsageStatistics",
        Object(USAGE_STATISTICS),
        "What key or version has been used for, a few seconds late; absent if for nothing yet.",
    ),
];

/// Members of one name that are not the same in every action.
const BY_ACTION: &[(&str, Member)] = &[
    ("LookupEvents", always("StartTime", Date, "The first second of the range.")),
    ("LookupEvents", always("EndTime", Date, "The last second of the range.")),
    ("LookupEvents", maybe("NextToken", Text, "Where the next page begins; absent on the last.")),
    ("LookupEvents", always("Events", Events, "The page, each event as it was recorded.")),
    ("ListGroupsForUser", always("Groups", List("Group", JOINED_GROUP), "The groups.")),
    ("ListUsersForGroup", always("Users", List("User", GROUP_MEMBER), "The page.")),
    ("AsymmetricSign", always("Value", Base64, "The signature.")),
    ("AsymmetricVerify", always("Value", Boolean, "Whether the signature is genuine.")),
    ("VerifyMac", always("Value", Boolean, "Whether the MAC is genuine.")),
    ("GetPublicKey", always("PublicKey", Text, "PEM, BEGIN PUBLIC KEY.")),
    ("GetParametersForImport", always("PublicKey", Base64, "DER SubjectPublicKeyInfo, under which to wrap.")),
    ("ReEncrypt", always("KeyId", Text, "ID of the key that decrypted the source.")),
    ("ReEncrypt", always("KeyVersionId", Text, "ID of the version that decrypted the source.")),
];

/// What a member of the answer of an action is.
pub fn member(action: &str, name: &str) -> Option<&'static Member> {
    let mut by_action = BY_ACTION.iter().chain(super::policies::BY_ACTION).chain(super::sts::BY_ACTION);
    let own = by_action.find(|(of, member)| *of == action && member.name == name).map(|(_, member)| member);
    own.or_else(|| MEMBERS.iter().find(|member| member.name == name))
}

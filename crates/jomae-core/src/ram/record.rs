//! What is stored of users, groups, roles and policies, and where.
//!
//! Things are kept under an id that never changes, and found by a record under their name: a renamed user keeps rights
//! and access keys, and a role made anew under an old name inherits nothing. Rights are read from these records with
//! every call, and are part of what a changing call's commit compares.

use std::sync::Arc;

pub use jomae_api::actions::ram::policies::params::PolicyType;
use jomae_api::{
    actions::ram::policies::attachments::{self, Entity},
    names::AccountId,
    policy::Form,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::Fault,
    policy::Compiled,
    store::Path,
    stored::{Derived, Record, plain_records},
};

plain_records!(form: 1, bears_rights: true; UserRecord, GroupRecord, RoleRecord, PolicyRecord);
// Policies and groups are listed in who has them; these find them from the other side.
plain_records!(form: 1, bears_rights: false; NameRecord, AttachedRecord, MemberRecord, CountsRecord, LastUsedRecord);

/// A policy that is attached to a user, a group or a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    pub kind: PolicyType,
    pub name: String,
    /// Unix seconds.
    pub at: i64,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub mobile_phone: String,
    pub email: String,
    pub comments: String,
    pub created: i64,
    pub updated: i64,
    pub policies: Vec<Attached>,
    /// Ids of the groups that the user is in, with the moment of joining.
    pub groups: Vec<(String, i64)>,
    pub access_keys: Vec<String>,
}

/// A group of users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    pub id: String,
    pub name: String,
    pub comments: String,
    pub created: i64,
    pub updated: i64,
    pub policies: Vec<Attached>,
    /// How many users are in it.
    pub users: u32,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleRecord {
    pub id: String,
    pub name: String,
    pub description: String,
    pub created: i64,
    pub updated: i64,
    /// Longest session, in seconds.
    pub max_session_secs: i64,
    /// The trust policy (`AssumeRolePolicyDocument`), as its text.
    pub trust: String,
    /// How often the trust policy has changed.
    pub trust_epoch: u64,
    pub policies: Vec<Attached>,
    #[serde(skip)]
    pub trust_in_memory: Derived<Arc<Compiled>>,
}

/// A policy of the account, with its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRecord {
    pub name: String,
    pub description: String,
    pub created: i64,
    pub updated: i64,
    /// The number of the version that counts.
    pub default_version: u32,
    /// How many versions there have been; they count from 1.
    pub versions_made: u32,
    pub versions: Vec<PolicyVersion>,
    /// To how many users, groups and roles it is attached.
    pub attachments: u32,
    #[serde(skip)]
    pub in_memory: Derived<Arc<Compiled>>,
}

/// One version of a policy: `v<number>` on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub number: u32,
    pub document: String,
    pub created: i64,
}

/// Which id a name belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    pub id: String,
}

/// To whom a policy is attached, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedRecord {
    pub at: i64,
}

/// That a user is in a group, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    pub at: i64,
}

/// How many of each an account has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsRecord {
    pub users: u32,
    pub groups: u32,
    pub roles: u32,
    pub policies: u32,
}

/// When an access key was last used, and with which service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUsedRecord {
    pub at: i64,
    pub service: String,
}

/// A user, group or role: what has policies of its own.
pub trait EntityRecord: Record + Clone {
    /// What the API knows of its kind.
    type Of: Entity;
    const KIND: path::Entity;
    fn id(&self) -> &str;
    fn name(&self) -> &str;
    /// How many of them there are.
    fn count(counts: &mut CountsRecord) -> &mut u32;
    fn policies(&self) -> &[Attached];
    fn policies_mut(&mut self) -> &mut Vec<Attached>;
    /// Ids of the groups that it is in.
    fn groups(&self) -> &[(String, i64)] {
        &[]
    }
}

macro_rules! entities {
    ($($record:ident $kind:ident $count:ident $($groups:ident)?,)*) => {
        $(impl EntityRecord for $record {
            type Of = attachments::$kind;
            const KIND: path::Entity = path::Entity::$kind;
            fn id(&self) -> &str {
                &self.id
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn count(counts: &mut CountsRecord) -> &mut u32 {
                &mut counts.$count
            }
            fn policies(&self) -> &[Attached] {
                &self.policies
            }
            fn policies_mut(&mut self) -> &mut Vec<Attached> {
                &mut self.policies
            }
            $(fn groups(&self) -> &[(String, i64)] {
                &self.$groups
            })?
        })*
    };
}
entities!(UserRecord User users groups, GroupRecord Group groups, RoleRecord Role roles,);

impl RoleRecord {
    /// `acs:ram::<account>:role/<name>`.
    pub fn arn(&self, account: &AccountId) -> String {
        format!("acs:ram::{account}:role/{}", self.name)
    }

    /// The trust policy, ready to be asked.
    pub fn compiled_trust(&self) -> Result<Arc<Compiled>, Fault> {
        self.trust_in_memory.or_find(|| Compiled::of_stored(&self.trust, Form::Trust)).cloned()
    }
}

impl PolicyRecord {
    /// The version that counts, ready to be asked.
    pub fn compiled(&self) -> Result<Arc<Compiled>, Fault> {
        let version = self.versions.iter().find(|version| version.number == self.default_version);
        let version = version.ok_or_else(|| Fault::internal("a policy lacks its default version"))?;
        self.in_memory.or_find(|| Compiled::of_stored(&version.document, Form::Identity)).cloned()
    }
}

/// Paths. Everything of an account stands under `ram/<account>/`.
pub mod path {
    use super::{AccountId, Path, PolicyType};

    /// What can have policies.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Entity {
        User,
        Group,
        Role,
    }

    impl Entity {
        pub const fn as_str(self) -> &'static str {
            match self {
                Self::User => "user",
                Self::Group => "group",
                Self::Role => "role",
            }
        }
    }

    pub fn entity(account: &AccountId, kind: Entity, id: &str) -> Path {
        Path::new(format!("ram/{account}/{}/{id}", kind.as_str()))
    }

    pub fn user(account: &AccountId, id: &str) -> Path {
        entity(account, Entity::User, id)
    }

    pub fn group(account: &AccountId, id: &str) -> Path {
        entity(account, Entity::Group, id)
    }

    pub fn role(account: &AccountId, id: &str) -> Path {
        entity(account, Entity::Role, id)
    }

    pub fn name(account: &AccountId, kind: Entity, name: &str) -> Path {
        Path::new(format!("{}{name}", names(account, kind)))
    }

    /// Every name of a kind, sorted.
    pub fn names(account: &AccountId, kind: Entity) -> String {
        format!("ram/{account}/{}-name/", kind.as_str())
    }

    pub fn policy(account: &AccountId, name: &str) -> Path {
        Path::new(format!("{}{name}", policies(account)))
    }

    /// Every policy of the account, by name.
    pub fn policies(account: &AccountId) -> String {
        format!("ram/{account}/policy/")
    }

    pub fn attached(account: &AccountId, policy: (PolicyType, &str), to: Entity, id: &str) -> Path {
        Path::new(format!("{}{id}", attached_to(account, policy, to)))
    }

    /// Ids of all of a kind to which a policy is attached.
    pub fn attached_to(account: &AccountId, policy: (PolicyType, &str), to: Entity) -> String {
        format!("{}{}/", attachments(account, policy), to.as_str())
    }

    /// Every attachment of a policy.
    pub fn attachments(account: &AccountId, (kind, name): (PolicyType, &str)) -> String {
        format!("ram/{account}/attached/{}/{name}/", kind.as_str())
    }

    pub fn member(account: &AccountId, group_id: &str, user_id: &str) -> Path {
        Path::new(format!("{}{user_id}", members(account, group_id)))
    }

    /// Ids of the users in a group.
    pub fn members(account: &AccountId, group_id: &str) -> String {
        format!("ram/{account}/member/{group_id}/")
    }

    /// An access key of the account itself; those of a user stand in the user's record.
    pub fn root_key(account: &AccountId, access_key_id: &str) -> Path {
        Path::new(format!("{}{access_key_id}", root_keys(account)))
    }

    pub fn root_keys(account: &AccountId) -> String {
        format!("ram/{account}/root-key/")
    }

    /// Everything of an account's RAM.
    pub fn all(account: &AccountId) -> String {
        format!("ram/{account}/")
    }

    /// Every user, by id.
    pub fn users(account: &AccountId) -> String {
        format!("ram/{account}/{}/", Entity::User.as_str())
    }

    pub fn epoch(account: &AccountId) -> Path {
        Path::new(format!("ram/{account}/epoch"))
    }

    pub fn counts(account: &AccountId) -> Path {
        Path::new(format!("ram/{account}/counts"))
    }

    pub fn last_used(account: &AccountId, access_key_id: &str) -> Path {
        Path::new(format!("ram/{account}/last-used/{access_key_id}"))
    }
}

//! What an action is: one type, one constant description, one place.

pub use crate::api::Api;
use crate::{
    answer::Answer,
    error::Refusal,
    names::{AliasName, KeyRef, KeyVersionId, RoleRef},
    param::{EncryptionContext, Parameters, Tags, Use},
    text::Text,
};

/// One action of the API. What it does stands in `jomae-core`, in the file of the same name.
pub trait Action: Parameters + Send + Sync + 'static {
    /// What a successful call answers, but for `RequestId`.
    type Output: Answer + Send + 'static;
    /// What is known of the action, but for its parameters.
    const SHEET: ActionSpec;
    /// All that is known of it.
    const SPEC: ActionSpec = ActionSpec { params: Self::PARAMS, ..Self::SHEET };
    /// The permission of the action's own name, `<service>:<name>`.
    const PERMISSION: &'static str = Self::PERMISSION_TEXT.as_str();
    #[doc(hidden)]
    const PERMISSION_TEXT: Text<64> = Text::EMPTY.text(Self::SPEC.api().prefix()).text(":").text(Self::SPEC.name);

    /// Which permissions the call needs, on what. All of them. An action that takes an encryption context and does not
    /// give it here fails a test.
    fn access(&self) -> Access<'_>;

    /// The usual case: the action's own permission, on one target.
    fn on(target: Target<'_>) -> Access<'_> {
        Access::one(Need::new(Self::PERMISSION, target))
    }

    /// The action's own permission on both.
    fn on_both<'a>(first: Target<'a>, second: Target<'a>) -> Access<'a> {
        Access::two(Need::new(Self::PERMISSION, first), Need::new(Self::PERMISSION, second))
    }

    /// The action's own permission on each of several keys.
    fn on_each(keys: &[KeyRef]) -> Access<'_> {
        Access::many(keys.iter().map(|key| Need::new(Self::PERMISSION, Target::Key(key))).collect())
    }

    /// The tags that the call sets, for conditions of policies (`acs:RequestTag/<key>`).
    fn request_tags(&self) -> Option<&Tags> {
        None
    }
}

/// Everything that is known of an action before it is called.
#[derive(Clone, Copy)]
pub struct ActionSpec {
    /// As a request names it: `Encrypt`.
    pub name: &'static str,
    /// Its chapter of the reference, and so its API.
    pub group: Group,
    /// What its rate limit counts it as.
    pub class: Class,
    /// `eventRW` of its audit events.
    pub effect: Effect,
    /// All parameters that it reads, in the order of the documentation.
    pub params: &'static [Use],
    /// In which states of the key it is refused.
    pub states: StateRule,
    /// Refusals beyond those that any action can give, and beyond those that [`Self::refusals`] finds in parameters and
    /// states. One of these that is named here all the same stands here in the order.
    pub errors: &'static [Refusal],
    /// The permissions that a call needs, where they are not the one of the action's own name.
    pub permissions: &'static [&'static str],
    /// Whether a key policy can give it to principals of other accounts: to use the key, never to manage it.
    pub shareable: bool,
    /// Whether a call must be signed. If not, a token of an identity provider tells who calls.
    pub signed: bool,
    /// Whether calls have audit events.
    pub recorded: bool,
    /// What it does, in the words of the reference.
    pub doc: &'static str,
    /// Parameters of a call that is well formed, for documents and tests.
    pub example: &'static [(&'static str, &'static str)],
}

/// The chapter of the reference in which an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Making, listing and changing keys.
    Keys,
    /// Key versions and rotation.
    Versions,
    /// Material from outside.
    Import,
    /// Use of keys: encryption, data keys, signatures, MACs.
    Crypto,
    /// Names of keys.
    Aliases,
    /// Tags of keys.
    Tags,
    /// The KMS of an account and a region as a whole.
    Service,
    /// RAM users.
    Users,
    /// Groups of RAM users.
    UserGroups,
    /// Access keys of RAM users and of the account.
    AccessKeys,
    /// How RAM users sign in: login profiles and passwords.
    Logins,
    /// Virtual MFA devices of RAM users.
    Mfa,
    /// Passkeys of RAM users.
    Passkeys,
    /// RAM policies, and to whom they are attached.
    Policies,
    /// RAM roles.
    Roles,
    /// Sessions of roles, and who calls.
    Sts,
    /// The events of the audit log.
    Trail,
}

impl Group {
    /// The API that the actions of this chapter belong to.
    pub const fn api(self) -> Api {
        match self {
            Self::Keys | Self::Versions | Self::Import | Self::Crypto | Self::Aliases | Self::Tags | Self::Service => {
                Api::Kms
            }
            Self::Users
            | Self::UserGroups
            | Self::AccessKeys
            | Self::Logins
            | Self::Mfa
            | Self::Passkeys
            | Self::Policies
            | Self::Roles => Api::Ram,
            Self::Sts => Api::Sts,
            Self::Trail => Api::ActionTrail,
        }
    }
}

impl ActionSpec {
    /// For actions that change nothing.
    pub const fn read(group: Group) -> Self {
        Self {
            name: "",
            group,
            class: Class::Management,
            effect: Effect::Read,
            params: &[],
            states: StateRule::ANY,
            errors: &[],
            permissions: &[],
            shareable: false,
            signed: true,
            recorded: true,
            doc: "",
            example: &[],
        }
    }

    /// For actions that change something.
    pub const fn write(group: Group) -> Self {
        Self { effect: Effect::Write, ..Self::read(group) }
    }

    /// For actions that compute something with a key.
    pub const USE_OF_A_KEY: Self = Self {
        class: Class::CryptoSymmetric,
        states: StateRule::ENABLED_ONLY,
        shareable: true,
        ..Self::read(Group::Crypto)
    };

    /// The API that the action belongs to.
    pub const fn api(&self) -> Api {
        self.group.api()
    }

    /// What the action can be refused with, beside what every call can.
    pub fn refusals(&self) -> Vec<Refusal> {
        let StateRule { enabled, disabled, pending_deletion, pending_import } = self.states;
        let of_params = self.params.iter().flat_map(|used| used.param.refusals()).copied();
        let of_states = [enabled, disabled, pending_deletion, pending_import].into_iter().flatten();
        let mut all: Vec<Refusal> = Vec::new();
        let derived = of_params.filter(|refusal| !self.errors.contains(refusal));
        for refusal in derived.chain(self.errors.iter().copied()).chain(of_states) {
            if !all.contains(&refusal) {
                all.push(refusal);
            }
        }
        all
    }
}

/// Rate limits and durability of the audit event follow from the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Uses a key otherwise.
    CryptoSymmetric,
    /// Uses an asymmetric key, or gives its public half.
    CryptoAsymmetric,
    /// Everything else.
    Management,
}

/// Whether a call changes stored state (`eventRW` of its audit event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `Read`: nothing is stored.
    Read,
    /// `Write`: the change is stored, or the call is refused.
    Write,
}

/// What a key's state does to the call (`keys.md`, "Impact of CMK states on API call"). `None` lets it pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRule {
    /// While the key is `Disabled`.
    pub disabled: Option<Refusal>,
    /// While it waits for its deletion.
    pub pending_deletion: Option<Refusal>,
    /// While it has no imported material.
    pub pending_import: Option<Refusal>,
    /// While it is `Enabled` (CancelKeyDeletion).
    pub enabled: Option<Refusal>,
}

impl StateRule {
    /// Any state will do.
    pub const ANY: Self = Self { enabled: None, disabled: None, pending_deletion: None, pending_import: None };
    /// Only `Enabled`.
    pub const ENABLED_ONLY: Self = Self {
        enabled: None,
        disabled: Some(Refusal::Disabled),
        pending_deletion: Some(Refusal::PendingDeletion),
        pending_import: Some(Refusal::PendingImport),
    };
    /// Any but `PendingDeletion`, whose refusal is given.
    pub const fn not_pending_deletion(refusal: Refusal) -> Self {
        Self { enabled: None, disabled: None, pending_deletion: Some(refusal), pending_import: None }
    }
}

/// What a permission is needed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Nothing: a valid signature is enough (`DescribeRegions`).
    SignatureOnly,
    /// The account's KMS as a whole (`*`).
    Service,
    /// `…:key`, the container of keys.
    Keys,
    /// `…:alias`, the container of aliases.
    Aliases,
    /// The key that the reference names. Naming it by an alias needs no permission on the alias.
    Key(&'a KeyRef),
    /// The key whose version is named in a ciphertext.
    CiphertextOf(&'a KeyVersionId),
    /// The alias, which need not exist.
    AliasName(&'a AliasName),
    /// The alias and the key that it points to; it must exist.
    AliasAndItsKey(&'a AliasName),
    /// `acs:ram:*:<account>:<kind>/<name>` of the caller's account, whether it is there or not: the handler looks it up.
    Ram(RamKind, &'a str),
    /// `acs:ram:*:<account>:<kind>/*`.
    RamAll(RamKind),
    /// The RAM user that calls (an absent `UserName`).
    RamSelf,
    /// The RAM user that calls, who needs no policy for it; but one can deny it.
    RamSelfUnlessDenied,
    /// A role to be assumed, in any account: both its trust policy and the caller's own policies must allow it.
    Role(&'a RoleRef),
}

/// What RAM knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RamKind {
    /// `user/<name>`.
    User,
    /// `group/<name>`.
    Group,
    /// `role/<name>`.
    Role,
    /// `mfa/<name>`.
    MfaDevice,
    /// A policy of the account.
    Policy,
    /// A policy that comes with the service (`acs:ram:*:system:policy/<name>`).
    SystemPolicy,
}

impl RamKind {
    /// As it stands in resource names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::MfaDevice => "mfa",
            Self::Policy | Self::SystemPolicy => "policy",
        }
    }
}

/// A permission that a call needs.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// `<service>:<name>`.
    pub permission: &'static str,
    /// On what.
    pub target: Target<'a>,
    /// What conditions of policies may ask about.
    pub context: Option<&'a EncryptionContext>,
}

impl<'a> Need<'a> {
    /// Without an encryption context.
    pub const fn new(permission: &'static str, target: Target<'a>) -> Self {
        Self { permission, target, context: None }
    }

    /// The encryption context with which the target is used.
    #[must_use]
    pub const fn in_context(self, context: &'a EncryptionContext) -> Self {
        Self { context: Some(context), ..self }
    }
}

/// The permissions that a call needs, all of them.
#[derive(Clone, Debug)]
pub struct Access<'a> {
    few: [Option<Need<'a>>; 2],
    more: Vec<Need<'a>>,
}

impl<'a> Access<'a> {
    /// The usual case.
    pub const fn one(need: Need<'a>) -> Self {
        Self { few: [Some(need), None], more: Vec::new() }
    }

    /// Both are needed (ReEncrypt: from one key, to another).
    pub const fn two(first: Need<'a>, second: Need<'a>) -> Self {
        Self { few: [Some(first), Some(second)], more: Vec::new() }
    }

    /// As many as the call names things.
    pub const fn many(needs: Vec<Need<'a>>) -> Self {
        Self { few: [None, None], more: needs }
    }

    /// The encryption context with which every target is used.
    #[must_use]
    pub fn in_context(mut self, context: &'a EncryptionContext) -> Self {
        self.few.iter_mut().flatten().chain(&mut self.more).for_each(|need| need.context = Some(context));
        self
    }

    /// Each of them, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = Need<'a>> + '_ {
        self.few.iter().flatten().chain(&self.more).copied()
    }
}

//! The reference of the API, written from the declarations and nothing else: `docs/api.md` and `docs/openapi.json`.

mod keys;
mod markdown;
mod openapi;

pub use self::{markdown::markdown, openapi::openapi};
use crate::{
    action::{Access, Action, ActionSpec, Class, Group, RamKind, Target},
    actions::{self, params::DRY_RUN},
    answer::{Answer, Member},
    error::{Origin, Refusal},
    for_each_action,
    param::{Input, Kind, NOT_OFFERED, ParamInfo, Use},
    wire::Params,
};

/// One action: its declaration, and what a call of it needs.
#[derive(Clone, Copy)]
pub struct Described {
    /// What is declared of it.
    pub spec: &'static ActionSpec,
    /// Members of a successful answer besides `RequestId`.
    pub answer: &'static [Member],
    parse: fn(&Params<'_>) -> Result<Vec<Need>, Refusal>,
}

/// A permission that a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// `None`: a valid signature is enough.
    pub ram_action: Option<&'static str>,
    /// What it is needed on: a resource name, or `*`.
    pub resource: &'static str,
}

const fn describe<A: Action>() -> Described {
    Described {
        spec: &A::SPEC,
        answer: A::Output::MEMBERS,
        parse: |params| Ok(needs(&A::parse(Input::new(params))?.access())),
    }
}

macro_rules! described {
    ($($($part:ident)::+),* $(,)?) => {
        /// Every action, in the order of the reference.
        pub const ALL: &[Described] = &[$(describe::<actions::$($part)::+>()),*];
    };
}
for_each_action!(described);

impl Described {
    /// What the call of the example needs.
    ///
    /// # Errors
    ///
    /// The refusal of an example that is not well formed.
    pub fn needs(&self) -> Result<Vec<Need>, Refusal> {
        let query = self.spec.example.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
        let query = query.collect::<Vec<_>>().join("&");
        let params = Params::parse(&query, None).map_err(Refusal::from)?;
        (self.parse)(&params)
    }

    /// The parameters that are taken.
    fn taken(&self) -> impl Iterator<Item = &'static Use> {
        self.spec.params.iter().filter(|used| !is_refused(used.param))
    }

    /// The parameters that the cloud's API has and that are refused here.
    fn refused(&self) -> impl Iterator<Item = &'static Use> {
        self.spec.params.iter().filter(|used| is_refused(used.param))
    }

    /// What the action can be refused with, beside the refusals of every call.
    fn refusals(&self) -> Vec<Refusal> {
        let takes_dry_run = self.spec.params.iter().any(|used| used.param.name() == DRY_RUN.name());
        let dry_run = DRY_RUN_REFUSALS.iter().filter(|_| takes_dry_run);
        self.spec.refusals().into_iter().chain(dry_run.copied()).collect()
    }
}

/// Every byte as an escape, which no reader can take for anything else.
fn escaped(text: &str) -> String {
    let escapes: Vec<String> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    escapes.concat()
}

/// A parameter whose every value is refused says so in its limits.
fn is_refused(param: &dyn ParamInfo) -> bool {
    param.limits() == NOT_OFFERED
}

/// The outcomes of a call with `DryRun=true`.
const DRY_RUN_REFUSALS: &[Refusal] = &[Refusal::DryRunWouldSucceed, Refusal::DryRunInvalid, Refusal::DryRunDenied];

/// Whether any call can be refused so, whatever its action.
pub fn is_of_every_call(refusal: &Refusal) -> bool {
    // RAM and STS word their refusals as the gateway does; those that an action declares are its own.
    let is_declared = actions::ACTIONS.iter().any(|spec| spec.refusals().contains(refusal));
    (refusal.row().origin == Origin::Gateway && !is_declared) || refusal.is_kms_of_every_call()
}

fn needs(access: &Access<'_>) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for needed in access.iter() {
        for resource in resources(&needed.target) {
            let ram_action = (needed.target != Target::SignatureOnly).then_some(needed.permission);
            let need = Need { ram_action, resource };
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
    }
    needs
}

fn resources(target: &Target<'_>) -> &'static [&'static str] {
    const KEY: &str = "acs:kms:{region}:{account}:key/{key-id}";
    const ALIAS: &str = "acs:kms:{region}:{account}:alias/{alias-name}";
    match target {
        Target::SignatureOnly => &[""],
        Target::Service => &["*"],
        Target::Keys => &["acs:kms:{region}:{account}:key"],
        Target::Aliases => &["acs:kms:{region}:{account}:alias"],
        Target::Key(_) | Target::CiphertextOf(_) => &[KEY],
        Target::AliasName(_) => &[ALIAS],
        Target::AliasAndItsKey(_) => &[ALIAS, KEY],
        Target::Ram(RamKind::User, _) | Target::RamSelf | Target::RamSelfUnlessDenied => {
            &["acs:ram:*:{account}:user/{user-name}"]
        }
        Target::Ram(RamKind::Group, _) => &["acs:ram:*:{account}:group/{group-name}"],
        Target::Ram(RamKind::Role, _) | Target::Role(_) => &["acs:ram:*:{account}:role/{role-name}"],
        Target::Ram(RamKind::MfaDevice, _) => &["acs:ram:*:{account}:mfa/{device-name}"],
        Target::Ram(RamKind::Policy, _) => &["acs:ram:*:{account}:policy/{policy-name}"],
        Target::Ram(RamKind::SystemPolicy, _) => &["acs:ram:*:system:policy/{policy-name}"],
        Target::RamAll(RamKind::User) => &["acs:ram:*:{account}:user/*"],
        Target::RamAll(RamKind::Group) => &["acs:ram:*:{account}:group/*"],
        Target::RamAll(RamKind::Role) => &["acs:ram:*:{account}:role/*"],
        Target::RamAll(RamKind::MfaDevice) => &["acs:ram:*:{account}:mfa/*"],
        Target::RamAll(RamKind::Policy | RamKind::SystemPolicy) => &["acs:ram:*:{account}:policy/*"],
    }
}

impl Group {
    /// The chapters of the reference, in their order.
    pub const ALL: &[Self] = &[
        Self::Keys,
        Self::Versions,
        Self::Import,
        Self::Crypto,
        Self::Aliases,
        Self::Tags,
        Self::Service,
        Self::Users,
        Self::UserGroups,
        Self::AccessKeys,
        Self::Logins,
        Self::Mfa,
        Self::Passkeys,
        Self::Policies,
        Self::Roles,
        Self::Sts,
        Self::Trail,
    ];

    /// The title of the chapter.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Keys => "Keys",
            Self::Versions => "Key versions and rotation",
            Self::Import => "Imported key material",
            Self::Crypto => "Cryptography",
            Self::Aliases => "Aliases",
            Self::Tags => "Tags",
            Self::Service => "Service",
            Self::Users => "RAM users",
            Self::UserGroups => "RAM user groups",
            Self::AccessKeys => "RAM access keys",
            Self::Logins => "RAM login profiles and passwords",
            Self::Mfa => "RAM virtual MFA devices",
            Self::Passkeys => "RAM passkeys",
            Self::Policies => "RAM policies",
            Self::Roles => "RAM roles",
            Self::Sts => "Temporary credentials (STS)",
            Self::Trail => "Audit trail (ActionTrail)",
        }
    }
}

/// The rate limit under which the calls of a class fall.
const fn rate_limit(class: Class) -> &'static str {
    match class {
        Class::CryptoSymmetric => "crypto_symmetric_per_sec",
        Class::CryptoAsymmetric => "crypto_asymmetric_per_sec",
        Class::Management => "management_per_sec",
    }
}

/// What the text of a parameter looks like, in a word or two.
const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "integer",
        Kind::Boolean => "boolean",
        Kind::Base64 => "Base64",
        Kind::Json => "JSON",
        Kind::Map => "JSON or flattened",
        Kind::List => "numbered list",
        Kind::Pairs => "numbered pairs",
    }
}

//! A policy in the form in which it is asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use jomae_api::{
    actions,
    policy::{
        self, Actions, Condition, Cost, Effect, Form, Pattern, Policy, PrincipalPattern, RESOURCE_BYTES_MAX, Statement,
    },
};

use super::{
    Principal, Request, ResourceVerdict, Verdict,
    facts::{Met, Named, Priced, met, named},
    sieve::Sieve,
};
use crate::error::Fault;

/// From how many statements on it is worth the time to make the sieve of a resource.
const SIEVED_MIN: usize = 6;
/// Steps of turning to a policy, to a statement, and to a principal that it names.
const POLICY_STEPS: u64 = 40;
const RULE_STEPS: u64 = 8;
const PRINCIPAL_STEPS: u64 = 8;

/// A policy with an index by action: only statements that speak of the action are looked at, those that deny first.
#[derive(Debug)]
pub struct Compiled {
    /// First those that deny, then those that allow, each in the order of the document.
    pub(super) rules: Box<[Rule]>,
    /// By the number of an action, which of the lists is about it.
    list_of: Box<[u16]>,
    /// Places in `rules`, ascending. Many actions share a list.
    lists: Box<[Box<[u16]>]>,
    /// What asking it costs at most, whatever the request, in steps.
    steps_max: u64,
}

/// A statement without its actions.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its place in the document, from 1.
    pub statement: u16,
    pub effect: Effect,
    resources: Resources,
    pub principals: Box<[PrincipalPattern]>,
    pub conditions: Box<[Priced]>,
}

#[derive(Debug)]
enum Resources {
    All,
    These { needed: Sieve, patterns: Box<[Pattern]>, cost: Cost },
}

/// The number of a permission such as `kms:Encrypt`, as [`Request`] has it. `None`: there is no such permission here.
pub fn action_number(name: &str) -> Option<u16> {
    static SORTED: LazyLock<Vec<(&str, u16)>> = LazyLock::new(|| {
        let mut sorted: Vec<_> = actions::permissions().iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        sorted
    });
    let place = SORTED.binary_search_by_key(&name, |(known, _)| known).ok()?;
    SORTED.get(place).map(|(_, number)| *number)
}

impl Compiled {
    /// A policy at rest, which was checked when it was written.
    pub fn of_stored(text: &str, form: Form) -> Result<Arc<Self>, Fault> {
        let policy = policy::parse(text, form);
        let policy = policy.map_err(|error| Fault::internal(format!("a stored policy: {error}")))?;
        Ok(Arc::new(Self::of(&policy)))
    }

    pub fn of(policy: &Policy) -> Self {
        let numbered = || policy.statements.iter().zip(1..);
        let (denies, allows): (Vec<_>, Vec<_>) = numbered().partition(|(of, _)| of.effect == Effect::Deny);
        let ordered: Vec<(&Statement, u16)> = denies.into_iter().chain(allows).collect();
        let actions: Vec<ActionMatcher> = ordered.iter().map(|(of, _)| ActionMatcher::new(&of.actions)).collect();
        let mut lists: BTreeMap<Vec<u16>, u16> = BTreeMap::new();
        let list_of = actions::permissions().iter().map(|name| {
            let name = name.to_ascii_lowercase();
            let about = actions.iter().zip(0..).filter(|(of, _)| of.matches(&name)).map(|(_, place)| place).collect();
            let next = u16::try_from(lists.len()).unwrap_or(u16::MAX);
            *lists.entry(about).or_insert(next)
        });
        let list_of = list_of.collect();
        let mut by_number: Vec<(u16, Vec<u16>)> = lists.into_iter().map(|(list, number)| (number, list)).collect();
        by_number.sort_unstable();
        let steps: Vec<u64> = ordered.iter().map(|(of, _)| steps_max(of)).collect();
        let of_list = |list: &[u16]| {
            let each = list.iter().filter_map(|place| steps.get(usize::from(*place)));
            each.fold(POLICY_STEPS, |all, steps| all.saturating_add(*steps))
        };
        let steps_max = by_number.iter().map(|(_, list)| of_list(list)).max().unwrap_or(POLICY_STEPS);
        Self {
            rules: ordered.into_iter().map(|(of, number)| Rule::of(of, number)).collect(),
            list_of,
            lists: by_number.into_iter().map(|(_, list)| list.into()).collect(),
            steps_max,
        }
    }

    /// What asking it costs at most, whatever the request, in steps: of the action that most of it is about.
    pub const fn steps_max(&self) -> u64 {
        self.steps_max
    }

    /// What an identity or session policy says. Policies that name principals never apply: for them see
    /// [`Self::evaluate_for`].
    pub fn evaluate(&self, request: &Request<'_>) -> Verdict {
        if !request.pays(POLICY_STEPS) {
            return Verdict::TooCostly;
        }
        let is_sieved = self.list_about(request.action).len() >= SIEVED_MIN;
        for rule in self.rules_about(request.action) {
            if is_sieved && !rule.may_have_resource(request.sieve()) || !rule.principals.is_empty() {
                continue;
            }
            let statement = rule.statement;
            match (rule.applies(request), rule.effect) {
                (None, _) => return Verdict::TooCostly,
                (Some(true), Effect::Deny) => return Verdict::ExplicitDeny { statement },
                (Some(true), Effect::Allow) => return Verdict::Allow { statement },
                (Some(false), _) => {}
            }
        }
        Verdict::ImplicitDeny
    }

    /// What an identity or session policy says to an action whatever the resource and the rest of the request are, within a
    /// budget of [`Self::steps_max`]: whether it allows it, and it denies nothing. None: that depends on them.
    pub fn says_always(&self, action: u16) -> Option<bool> {
        let mut allows = false;
        for rule in self.rules_about(action).filter(|rule| rule.principals.is_empty()) {
            if rule.effect == Effect::Allow && matches!(rule.resources, Resources::All) && rule.conditions.is_empty() {
                allows = true;
            } else {
                return None;
            }
        }
        Some(allows)
    }

    /// What a key or trust policy says about a principal.
    pub fn evaluate_for(&self, request: &Request<'_>, principal: &Principal<'_>) -> ResourceVerdict {
        let mut verdict = ResourceVerdict::NotNamed;
        if !request.pays(POLICY_STEPS) {
            return ResourceVerdict::TooCostly;
        }
        for rule in self.rules_about(request.action) {
            if !request.pays(PRINCIPAL_STEPS * rule.principals.len() as u64) {
                return ResourceVerdict::TooCostly;
            }
            let Some(named) = rule.names(principal) else { continue };
            match rule.applies(request) {
                None => return ResourceVerdict::TooCostly,
                Some(false) => continue,
                Some(true) => {}
            }
            let statement = rule.statement;
            match (rule.effect, named) {
                (Effect::Deny, _) => return ResourceVerdict::ExplicitDeny { statement },
                (Effect::Allow, Named::Itself) => return ResourceVerdict::Allow { statement },
                (Effect::Allow, Named::ByAccount) if verdict == ResourceVerdict::NotNamed => {
                    verdict = ResourceVerdict::AllowAccount { statement };
                }
                (Effect::Allow, Named::ByAccount) => {}
            }
        }
        verdict
    }

    /// The statements that speak of an action, those that deny first.
    pub(super) fn rules_about(&self, action: u16) -> impl Iterator<Item = &Rule> {
        self.list_about(action).iter().filter_map(|place| self.rules.get(usize::from(*place)))
    }

    fn list_about(&self, action: u16) -> &[u16] {
        let list = self.list_of.get(usize::from(action)).and_then(|list| self.lists.get(usize::from(*list)));
        list.map_or(&[], |list| list)
    }
}

impl Rule {
    fn of(statement: &Statement, number: u16) -> Self {
        // Trust policies have no resource: they are about their role.
        let all = statement.resources.is_empty() || statement.resources.iter().any(Pattern::is_anything);
        let resources = if all {
            Resources::All
        } else {
            Resources::These {
                needed: Sieve::needed(&statement.resources),
                cost: Cost::of(&statement.resources),
                patterns: statement.resources.as_slice().into(),
            }
        };
        Self {
            statement: number,
            effect: statement.effect,
            resources,
            principals: statement.principals.as_slice().into(),
            conditions: statement.conditions.iter().map(Priced::new).collect(),
        }
    }

    /// `false`: it has not.
    fn may_have_resource(&self, sieve: &Sieve) -> bool {
        match &self.resources {
            Resources::These { needed, .. } => sieve.lets_through(needed),
            Resources::All => true,
        }
    }

    /// Whether its resources match and its conditions are met. `None`: the budget is used up, and nobody knows.
    fn applies(&self, request: &Request<'_>) -> Option<bool> {
        if !request.pays(RULE_STEPS) {
            return None;
        }
        if !self.has_resource(request)? {
            return Some(false);
        }
        for condition in &self.conditions {
            match met(condition, request, self.effect) {
                Met::Yes => {}
                Met::No | Met::NoValue => return Some(false),
                Met::TooCostly => return None,
            }
        }
        Some(true)
    }

    /// `None`: the budget is used up.
    pub fn has_resource(&self, request: &Request<'_>) -> Option<bool> {
        match &self.resources {
            Resources::All => Some(true),
            Resources::These { patterns, cost, .. } => request
                .pays(cost.steps(request.resource.len()))
                .then(|| patterns.iter().any(|pattern| pattern.matches(request.resource))),
        }
    }

    /// By the principal's own name if that stands there, else by its account.
    pub fn names(&self, principal: &Principal<'_>) -> Option<Named> {
        let mut by_account = None;
        for pattern in &self.principals {
            match named(pattern, principal) {
                Some(Named::Itself) => return Some(Named::Itself),
                Some(Named::ByAccount) => by_account = Some(Named::ByAccount),
                None => {}
            }
        }
        by_account
    }
}

/// What a statement costs at most.
fn steps_max(statement: &Statement) -> u64 {
    let fixed = RULE_STEPS + PRINCIPAL_STEPS * statement.principals.len() as u64;
    let conditions = statement.conditions.iter().map(Condition::steps_max).fold(0, u64::saturating_add);
    fixed.saturating_add(Cost::of(&statement.resources).steps(RESOURCE_BYTES_MAX)).saturating_add(conditions)
}

/// The actions of a statement in lower case.
struct ActionMatcher {
    patterns: Vec<Pattern>,
    negated: bool,
}

impl ActionMatcher {
    fn new(actions: &Actions) -> Self {
        let (patterns, negated) = match actions {
            Actions::These(patterns) => (patterns, false),
            Actions::AllBut(patterns) => (patterns, true),
        };
        let lower = |pattern: &Pattern| Pattern::new(&pattern.as_str().to_ascii_lowercase());
        Self { patterns: patterns.iter().map(lower).collect(), negated }
    }

    /// The name is in lower case.
    fn matches(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name)) != self.negated
    }
}

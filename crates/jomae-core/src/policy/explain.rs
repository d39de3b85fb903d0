//! Why a policy says what it says: for the operator's log and the simulator. Slow, and never on the way of a call that
//! is allowed.

use std::fmt;

use jomae_api::policy::Effect;

use super::{
    Compiled, Principal, Request,
    compiled::Rule,
    facts::{Met, Priced, met},
};

/// What became of one statement that speaks of the action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its place in the document, from 1.
    pub statement: u16,
    pub effect: Effect,
    pub outcome: StatementMatch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementMatch {
    /// It allows or denies, as its effect says.
    Applies,
    /// It is about others.
    OtherPrincipal,
    /// It is about other resources.
    OtherResource,
    /// The first condition that is not met. It never holds a value of the request.
    ConditionNotMet {
        operator: &'static str,
        key: String,
        /// The request has no value of the key, or none that the operator can compare.
        absent: bool,
    },
    /// The budget of the decision is used up: nobody knows.
    TooCostly,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
        };
        let verb = if self.outcome == StatementMatch::Applies { effect } else { "does not apply" };
        write!(f, "Statement {} {verb}", self.statement)?;
        match &self.outcome {
            StatementMatch::Applies => Ok(()),
            StatementMatch::TooCostly => f.write_str(": it costs more than is left for the decision"),
            StatementMatch::OtherPrincipal => f.write_str(": the principal is not named"),
            StatementMatch::OtherResource => f.write_str(": the resource does not match"),
            StatementMatch::ConditionNotMet { operator, key, absent } => {
                write!(f, ": {operator} {key} is not met")?;
                f.write_str(if *absent { ", the request has no such value" } else { "" })
            }
        }
    }
}

impl Compiled {
    /// What became of each statement of an identity or session policy that speaks of the action, in the order of the
    /// document. Empty: none does.
    pub fn explain(&self, request: &Request<'_>) -> Vec<Explained> {
        self.explain_each(request, |rule| rule.principals.is_empty())
    }

    /// As [`Self::explain`], of a key or trust policy.
    pub fn explain_for(&self, request: &Request<'_>, principal: &Principal<'_>) -> Vec<Explained> {
        self.explain_each(request, |rule| rule.names(principal).is_some())
    }

    fn explain_each(&self, request: &Request<'_>, is_named: impl Fn(&Rule) -> bool) -> Vec<Explained> {
        let outcome = |rule: &Rule| {
            if !is_named(rule) {
                return StatementMatch::OtherPrincipal;
            }
            match rule.has_resource(request) {
                None => return StatementMatch::TooCostly,
                Some(false) => return StatementMatch::OtherResource,
                Some(true) => {}
            }
            let unmet = |absent, priced: &Priced| StatementMatch::ConditionNotMet {
                operator: priced.condition.operator.name,
                key: priced.condition.key.to_string(),
                absent,
            };
            let found = rule.conditions.iter().find_map(|priced| match met(priced, request, rule.effect) {
                Met::Yes => None,
                Met::No => Some(unmet(false, priced)),
                Met::NoValue => Some(unmet(true, priced)),
                Met::TooCostly => Some(StatementMatch::TooCostly),
            });
            found.unwrap_or(StatementMatch::Applies)
        };
        let mut explained: Vec<Explained> = self
            .rules_about(request.action)
            .map(|rule| Explained { statement: rule.statement, effect: rule.effect, outcome: outcome(rule) })
            .collect();
        explained.sort_unstable_by_key(|explained| explained.statement);
        explained
    }
}

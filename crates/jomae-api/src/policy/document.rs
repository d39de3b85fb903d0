//! What a policy says, as plain data.

use super::{Condition, Form, Pattern, PrincipalPattern};

/// A policy document that was read and found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is attached to.
    pub form: Form,
    /// 1 to [`super::STATEMENTS_MAX`].
    pub statements: Vec<Statement>,
}

/// One statement: speaks of a request if its principals, its actions and its resources match, and applies if all its
/// conditions are met too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `Sid`: a name that decides nothing.
    pub sid: Option<Box<str>>,
    /// What the statement comes to where it applies.
    pub effect: Effect,
    /// Which actions it is about.
    pub actions: Actions,
    /// One of them must match. Empty in trust policies alone, which are about the role that they belong to.
    pub resources: Vec<Pattern>,
    /// One of them must match. Empty in identity and session policies, which are about whoever they are attached to.
    pub principals: Vec<PrincipalPattern>,
    /// All of them must be met.
    pub conditions: Vec<Condition>,
}

/// `Effect` of a statement. A denial beats every permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `Allow`.
    Allow,
    /// `Deny`.
    Deny,
}

/// Which actions a statement is about; `<service>:<name>` or `*`, without regard to ASCII case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actions {
    /// `Action`.
    These(Vec<Pattern>),
    /// `NotAction`: every action that none of them matches.
    AllBut(Vec<Pattern>),
}

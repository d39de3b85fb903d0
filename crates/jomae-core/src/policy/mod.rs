//! What policies allow: compiled once per version of a policy, asked for every call. Pure, and without allocation.
//!
//! One policy answers at a time; how the answers of several are put together is in [`crate::access`]. The rules: a
//! statement applies to a request if its actions, its resources and its principals match and all its conditions are
//! met. A `Deny` that applies wins over every `Allow`; nothing that applies is a denial too.
//!
//! Everything is paid for in steps before it is done ([`jomae_api::policy::Cost`]), from the budget that a [`Request`]
//! brings. What a policy can cost at most is known when it is compiled, by the same numbers.

mod compiled;
mod explain;
mod facts;
mod sieve;
mod system;

pub use compiled::{Compiled, action_number};
pub use explain::{Explained, StatementMatch};
pub use facts::{Facts, Principal, Request};
pub use system::{SystemPolicy, system_policies, system_policy};

/// What one identity or session policy says. Statements count from 1, as in
/// [`Malformed`](jomae_api::policy::Malformed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow {
        statement: u16,
    },
    ExplicitDeny {
        statement: u16,
    },
    /// No statement applies.
    ImplicitDeny,
    /// The budget of the decision does not suffice to find out: a denial.
    TooCostly,
}

/// What the policy of a key or a role says about one principal. Statements count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceVerdict {
    ExplicitDeny {
        statement: u16,
    },
    /// A statement that names this principal itself allows.
    Allow {
        statement: u16,
    },
    /// Only statements that name its account as a whole (`…:root`, `…:*`) allow.
    AllowAccount {
        statement: u16,
    },
    /// No statement applies to the principal.
    NotNamed,
    /// The budget of the decision does not suffice to find out: a denial.
    TooCostly,
}

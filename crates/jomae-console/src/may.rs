//! What whoever looks at a page may do there.

use maud::{Markup, html};

use crate::Frame;

/// The permissions that a page asks about and that its reader lacks. A page offers what is not among them; the call
/// itself decides.
#[derive(Clone, Debug, Default)]
pub struct May(Vec<(&'static str, bool)>);

impl May {
    /// From what is missing: a permission, and whether a policy denies it, rather than none allowing it.
    pub const fn all_but(missing: Vec<(&'static str, bool)>) -> Self {
        Self(missing)
    }

    fn missing(&self, permission: &str) -> Option<bool> {
        self.0.iter().find(|(missing, _)| *missing == permission).map(|(_, is_explicit)| *is_explicit)
    }

    pub(crate) fn allows(&self, permission: &str) -> bool {
        self.missing(permission).is_none()
    }

    /// What does it if it is allowed; else what it would be, and why it is not offered.
    pub(crate) fn offer(&self, frame: &Frame<'_>, permission: &'static str, what: &str, form: Markup) -> Markup {
        let Some(is_explicit) = self.missing(permission) else { return form };
        let why = if is_explicit { "why-denied" } else { "why-not-allowed" };
        html! {
            p.not-offered { b { (frame.t(what)) } " " (frame.t_with(why, &[("permission", permission)])) }
        }
    }

    /// As [`Self::offer`], where there is no room for words: in a row of a table.
    pub(crate) fn offer_in_row(&self, permission: &'static str, form: Markup) -> Markup {
        if self.allows(permission) {
            form
        } else {
            html! {}
        }
    }
}

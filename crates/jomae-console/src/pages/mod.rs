//! One function for each page.

mod audit;
mod chart;
mod home;
mod import;
mod key_use;
mod keys;
mod passkeys;
mod people;
mod server;
mod session;
mod sign;
mod sign_in;

pub use audit::{EventFilter, TimeLine, audit, event};
pub use chart::{Bar, Minutes, PerMinute};
pub use home::{Counts, Overview, overview};
pub use import::{Wrapping, import};
pub use key_use::{KeyUse, UserOfKey, key_use};
pub use keys::{KeyParts, KeysPage, Tried, create_key, grant, key, keys, try_it};
pub use passkeys::PasskeyPlace;
pub use people::{
    Change, Compared, Draft, Finding, GroupParts, GroupsPage, Held, Layer, NewSecret, PeoplePage, PoliciesPage,
    PolicyKind, PolicyParts, Replayed, RoleParts, RolesPage, Simulated, UserParts, compare, edit_policy, finding_text,
    group, groups, people, policies, policy, replay, role, roles, simulate, user,
};
pub use server::{Age, NoServer, backups, cluster, no_server, settings};
pub use session::{SessionRow, malformed, message, sessions};
pub use sign::{Signed, sign};
pub use sign_in::{Me, OwnDevice, Owner, SecondForm, SignInForm, Trouble, arrived, me, second, sign_in};

use serde_json::Value;

/// A text of an answer; empty if it is not there.
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

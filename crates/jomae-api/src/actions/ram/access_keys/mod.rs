//! Access keys: what users, and the account itself, sign their calls with.

pub mod create_access_key;
pub mod delete_access_key;
pub mod get_access_key_last_used;
pub mod list_access_keys;
pub mod update_access_key;

use crate::{actions::prelude::*, answer::wire_enum};

wire_enum!(
    /// Whether an access key may be used.
    Status {
        Active = "Active",
        Inactive = "Inactive",
    }
);

impl Status {
    /// `Active` for true.
    pub const fn of(active: bool) -> Self {
        if active { Self::Active } else { Self::Inactive }
    }
}

/// Longest ID of an access key that is looked for, in characters; ours have 24.
const ACCESS_KEY_ID_CHARS_MAX: usize = 128;

param! {
    /// The access key, which must be the user's.
    USER_ACCESS_KEY_ID: String = Text "UserAccessKeyId", "the ID of an access key: letters and digits",
        public_if(is_plainly_an_access_key_id) => |text| {
        let fits = text.len() <= ACCESS_KEY_ID_CHARS_MAX && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if fits { Ok(text.to_owned()) } else { Err(Invalid::Value) }
    };
}

/// Whether a text is an access key's ID by its form. A secret is letters and digits too, but longer.
fn is_plainly_an_access_key_id(text: &str) -> bool {
    text.len() == 24 && text.starts_with("LTAI")
}

param! {
    /// Whether the access key may be used.
    STATUS: Status = Text "Status", "Active or Inactive", public => |text| {
        Status::from_wire(text).ok_or(Invalid::Value)
    };
}

/// Whose access keys an action is about: those of the user of this name, or of the caller.
const fn whose(user_name: Option<&str>) -> Target<'_> {
    match user_name {
        Some(name) => Target::Ram(RamKind::User, name),
        None => Target::RamSelf,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::ParamInfo;

    #[test]
    fn an_id_shows_and_a_secret_does_not() {
        assert!(USER_ACCESS_KEY_ID.shows("LTAIjkl0mnOPqrSTuvWXyz12"));
        let secret = "LTAIjkl0mnOPqrSTuvWXyz12345678";
        assert!(USER_ACCESS_KEY_ID.accepts(secret) && !USER_ACCESS_KEY_ID.shows(secret));
        for bad in ["LTAI/../x", "LTAI x", "STS.abc", "é", &"x".repeat(129)] {
            assert!(!USER_ACCESS_KEY_ID.accepts(bad), "{bad}");
        }
    }
}

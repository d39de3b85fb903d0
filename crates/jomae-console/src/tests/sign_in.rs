//! The pages of the sign-in, for the tests of all pages.

use serde_json::json;

use crate::{
    Frame,
    pages::{self, Me, OwnDevice, Owner, SignInForm, Trouble},
};

const TROUBLES: [Option<Trouble>; 9] = [
    None,
    Some(Trouble::Wrong),
    Some(Trouble::WrongCode),
    Some(Trouble::Locked { secs: 61 }),
    Some(Trouble::Expired),
    Some(Trouble::Ended),
    Some(Trouble::Busy),
    Some(Trouble::Link),
    Some(Trouble::Organization),
];

pub(super) fn all_pages(frame: &Frame<'_>, refused: &Frame<'_>, value: &str) -> Vec<String> {
    let organizations = [("/sign-in/with/0".to_owned(), value)];
    let form = |trouble| SignInForm {
        back: value,
        account: value,
        user: value,
        trouble,
        is_unbound: true,
        organizations: &organizations,
    };
    let rules = json!({ "MinimumPasswordLength": 8, "RequireLowercaseCharacters": true,
        "RequireUppercaseCharacters": true, "RequireNumbers": true, "RequireSymbols": true, "PasswordReusePrevention": 3 });
    let me = Me {
        owner: Owner::User,
        must_change: true,
        must_bind: false,
        has_mfa: false,
        rules: Some(&rules),
        device: OwnDevice::None,
        back: value,
        password_refusal: refused.refusal,
    };
    let without_password = Me { must_change: false, must_bind: true, has_mfa: true, ..me };
    let of_device = |device| pages::me(frame, &Me { device, ..without_password });
    let mut all: Vec<String> = TROUBLES.iter().map(|trouble| pages::sign_in(frame, &form(*trouble))).collect();
    all.extend([
        pages::arrived(frame, value),
        pages::code(frame, value, Some(Trouble::WrongCode)),
        pages::me(refused, &me),
        pages::me(frame, &Me { owner: Owner::Account, ..me }),
        pages::me(frame, &Me { owner: Owner::Role, ..me }),
        of_device(OwnDevice::None),
        of_device(OwnDevice::Unknown),
        of_device(OwnDevice::Bound(value)),
        of_device(OwnDevice::New { serial: value, seed: value }),
    ]);
    all
}

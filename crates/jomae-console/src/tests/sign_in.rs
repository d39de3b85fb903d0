//! The pages of the sign-in, for the tests of all pages.

use serde_json::json;

use crate::{
    Frame,
    pages::{self, Me, OwnDevice, Owner, PasskeyPlace, SecondForm, SignInForm, Trouble},
};

const TROUBLES: [Option<Trouble>; 10] = [
    None,
    Some(Trouble::Wrong),
    Some(Trouble::WrongCode),
    Some(Trouble::Passkey),
    Some(Trouble::Locked { secs: 61 }),
    Some(Trouble::Expired),
    Some(Trouble::Ended),
    Some(Trouble::Busy),
    Some(Trouble::Link),
    Some(Trouble::Organization),
];

pub(super) fn all_pages(frame: &Frame<'_>, refused: &Frame<'_>, value: &str) -> Vec<String> {
    let organizations = [("/sign-in/with/0".to_owned(), value)];
    let places = [PasskeyPlace::Here, PasskeyPlace::At(value), PasskeyPlace::Nowhere];
    let form = |trouble, passkeys| SignInForm {
        back: value,
        account: value,
        user: value,
        trouble,
        is_unbound: true,
        organizations: &organizations,
        passkeys,
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
        passkeys: None,
        passkey_place: PasskeyPlace::Here,
        passkey_name: value,
        back: value,
        password_refusal: refused.refusal,
    };
    let without_password = Me { must_change: false, must_bind: true, has_mfa: true, ..me };
    let of_device = |device| pages::me(frame, &Me { device, ..without_password });
    let own = [
        json!({ "PasskeyId": value, "PasskeyName": value, "CreateDate": "2026-01-02T03:04:05Z", "BackedUp": true }),
        json!({ "PasskeyId": value, "PasskeyName": value, "CreateDate": "2026-01-02T03:04:05Z", "BackedUp": false,
            "LastUsedDate": "2026-01-03T03:04:05Z" }),
    ];
    let second = |takes_code, passkeys| {
        pages::second(frame, &SecondForm { user: value, takes_code, passkeys, trouble: Some(Trouble::WrongCode) })
    };
    let mut all: Vec<String> =
        TROUBLES.iter().map(|trouble| pages::sign_in(frame, &form(*trouble, PasskeyPlace::Here))).collect();
    for place in places {
        all.push(pages::sign_in(frame, &form(None, place)));
        all.extend([second(true, Some(place)), second(false, Some(place))]);
        for passkeys in [None, Some(&own[..0]), Some(&own[..])] {
            all.push(pages::me(frame, &Me { passkeys, passkey_place: place, ..without_password }));
        }
    }
    all.extend([
        pages::arrived(frame, value),
        second(true, None),
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

//! The pages about keys, and the overview.

use serde_json::json;

use crate::{
    Frame, Texts, Typed,
    pages::{self, Bar, Counts, KeyUse, KeysPage, Minutes, Overview, PerMinute, Signed, UserOfKey, Wrapping},
};

pub(super) fn all_pages(frame: &Frame<'_>, value: &str, typed: &Typed) -> Vec<String> {
    let own = || value.to_owned();
    let keys = [json!({ "KeyId": value, "Description": value, "KeyState": value, "KeySpec": value, "LastUsed": value,
        "DeleteDate": value, "AliasNames": [value, value] })];
    let list = |unused| KeysPage { keys: &keys, state: value, find: value, unused, page: 2, pages: 3, total: 30 };
    let bars = [Bar { from: own(), allowed: 3, refused: 1 }, Bar { from: own(), allowed: 0, refused: 0 }];
    let texts = || vec![own()];
    let users = [UserOfKey {
        name: own(),
        last: own(),
        allowed: 1,
        refused: 1,
        actions: texts(),
        addresses: texts(),
        agents: texts(),
        contexts: texts(),
    }];
    let (aliases, usage) = ([json!({ "AliasName": value })], json!({ "Calls": { value: 7 } }));
    let key_use = |users, aliases, is_whole| KeyUse {
        is_whole,
        id: value,
        state: value,
        usage: &usage,
        aliases,
        bars: &bars,
        users,
        only_since: Some(value),
    };
    let events = [json!({ "eventId": value, "eventName": value, "eventTime": value, "errorCode": value,
        "userIdentity": { "userName": value } })];
    let states = [("Enabled", 1), (value, 2)];
    let minutes = Minutes {
        hours: vec![value.to_owned(), value.to_owned()],
        minutes: vec![PerMinute { allowed: 3, refused: 1 }; 70],
    };
    let overview = |counts_later: bool| Overview {
        total: Some(3),
        counts: (!counts_later).then_some(Counts {
            states: &states,
            unused: (9, &keys),
            unused_since: value,
            leaving: (9, &keys),
        }),
        counts_later,
        calls: Some((&minutes, Some(value))),
        only_since: Some(value),
        refusals: Some(&events),
        version: value,
        log_is_writable: counts_later,
        is_of_operator: counts_later,
    };
    let wrapping = Wrapping { token: value, public_key: value };
    let sign = |signed| pages::sign(frame, value, (&[value], &[own()]), typed, signed);
    vec![
        pages::overview(frame, &overview(true)),
        pages::overview(frame, &overview(false)),
        pages::keys(frame, &list(value)),
        pages::keys(frame, &list("")),
        pages::key_use(frame, &key_use(&users, &aliases, true)),
        pages::key_use(frame, &key_use(&[], &[], true)),
        pages::key_use(frame, &key_use(&[], &[], false)),
        pages::import(frame, value, typed, Some(&wrapping)),
        pages::import(frame, value, typed, None),
        sign(&Signed::Nothing),
        sign(&Signed::Signature(value)),
        sign(&Signed::Verified(true)),
        sign(&Signed::Verified(false)),
        pages::sign(frame, value, (&[], &[]), typed, &Signed::Nothing),
    ]
}

#[test]
fn the_first_page_of_the_keys_is_small() {
    let key = json!({ "KeyId": "0197a3c1-0000-7000-8000-000000000000", "Description": "x".repeat(60),
        "KeyState": "Enabled", "KeySpec": "Aliyun_AES_256", "LastUsed": "2027-01-15T08:00:00Z",
        "AliasNames": ["alias/orders/production"] });
    let keys = vec![key; 25];
    for lang in crate::Lang::ALL {
        let frame =
            Frame { texts: Texts::of(lang), visitor: None, path: "/keys", calls: &[], done: None, refusal: None };
        let list = KeysPage { keys: &keys, state: "", find: "", unused: "", page: 1, pages: 4000, total: 100_000 };
        let page = pages::keys(&frame, &list);
        let loaded: usize = crate::ASSETS.iter().map(|asset| asset.content.len()).sum();
        assert!(page.len() + loaded < 50_000, "{} and {loaded} bytes", page.len());
    }
}

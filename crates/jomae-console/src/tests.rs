//! Nothing is missing in any language, and no page has a text beside the catalogues.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

mod people;
mod server;
mod sign_in;

use crate::{
    Frame, Lang, MadeCall, Refusal, Texts, Typed, Visitor,
    pages::{self, Bar, EventFilter, KeyParts, SessionRow, TimeLine, Tried},
};

mod keys;

/// What can ask for a text: the frame and every page.
fn sources() -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = |dir: &str| fs::read_dir(src.join(dir)).unwrap().map(|entry| entry.unwrap().path());
    let pages = files("pages").chain(files("pages/people")).filter(|path| path.is_file());
    let others = ["frame.rs", "may.rs", "reason.rs"].map(|file| src.join(file));
    pages.chain(others).map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Id and text of each message; the catalogues hold nothing but messages of one line.
fn messages(catalogue: &str) -> Vec<(&str, &str)> {
    let lines = catalogue.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(" = ").unwrap_or_else(|| panic!("{line}"))).collect()
}

fn ids(catalogue: &str) -> BTreeSet<&str> {
    messages(catalogue).into_iter().map(|(id, _)| id).collect()
}

fn placeables(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.trim()).collect()
}

#[test]
fn every_language_has_every_text() {
    let mut known = BTreeSet::new();
    for part in Lang::English.catalogue() {
        assert!(ids(part).into_iter().all(|id| known.insert(id)), "an id in two parts");
    }
    let parts = Lang::ALL.into_iter().flat_map(|lang| {
        lang.catalogue().iter().zip(Lang::English.catalogue()).map(move |(part, english)| (lang, *part, *english))
    });
    for (lang, catalogue, english) in parts {
        let english = self::messages(english);
        let messages = messages(catalogue);
        assert_eq!(ids(catalogue), english.iter().map(|(id, _)| *id).collect(), "{lang:?}");
        assert_eq!(messages.len(), english.len(), "{lang:?}: an id twice");
        let read = fluent_bundle::FluentResource::try_new(catalogue.to_owned());
        assert!(read.is_ok(), "{lang:?}: {:?}", read.err().map(|(_, errors)| errors));
        for (id, text) in messages {
            let (_, other) = english.iter().find(|(known, _)| *known == id).unwrap();
            assert_eq!(placeables(text), placeables(other), "{lang:?}: {id}");
            assert!(!text.trim().is_empty(), "{lang:?}: {id}");
        }
    }
}

/// Words that are the same in all languages.
const SAME: [&str; 5] = ["calls-python", "calls-terraform", "access-key-id", "access-key-secret", "key-arn"];

#[test]
fn nothing_is_left_in_english() {
    let is_of = |c: char| ('\u{3040}'..='\u{30ff}').contains(&c) || ('\u{4e00}'..='\u{9fff}').contains(&c);
    for lang in [Lang::Japanese, Lang::Chinese] {
        let catalogue = lang.catalogue().concat();
        for (id, text) in messages(&catalogue).iter().filter(|(id, _)| !SAME.contains(id)) {
            assert!(text.chars().any(is_of), "{lang:?}: {id} = {text}");
        }
    }
}

/// Every text that a source asks for is there, and every text that is there is asked for.
#[test]
fn texts_are_those_that_pages_use() {
    let catalogue = Lang::English.catalogue().concat();
    let known = ids(&catalogue);
    let sources = sources();
    let mut used = BTreeSet::new();
    for source in &sources {
        used.extend(source.split('"').filter(|word| known.contains(word)));
        for asked in source.split(".t(\"").skip(1).chain(source.split(".t_with(\"").skip(1)) {
            let id = asked.split('"').next().unwrap();
            assert!(known.contains(id), "{id} is in no catalogue");
        }
    }
    // Those that the server chooses, or that follow from an error code.
    let chosen = |id: &&&str| {
        ["error-", "done-", "mistake-"].iter().any(|start| id.starts_with(start))
            || ["signed-out", "forged", "too-large", "not-found"].iter().any(|start| id.starts_with(start))
    };
    let unused: Vec<_> = known.iter().filter(|id| !used.contains(**id) && !chosen(id)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{$x}\u{202e}";

/// Every page, with a value in every place where a caller can put one.
fn all_pages(texts: &'static Texts, value: &str) -> Vec<String> {
    let calls = [MadeCall {
        service: "Kms",
        version: "2016-01-20",
        action: "CreateKey".into(),
        params: vec![("Description".into(), value.into())],
    }];
    let refusal = Refusal { code: value.into(), message: value.into(), request_id: value.into(), ..Refusal::default() };
    let denied = Refusal { permission: Some(value.into()), ..refusal.clone() };
    let visitor = Visitor { account: value, name: value, form_token: value };
    let frame = |refusal| Frame {
        texts,
        visitor: Some(visitor),
        path: "/keys",
        calls: &calls,
        done: Some("done-enabled"),
        refusal,
    };
    let typed = [
        "alias",
        "Description",
        "KeySpec",
        "Origin",
        "tag_key",
        "tag_value",
        "confirm",
        "PendingWindowInDays",
        "plaintext",
        "ciphertext",
        "encrypt_context_name",
        "encrypt_context_value",
        "UserName",
        "DisplayName",
        "Comments",
        "PolicyName",
        "message",
        "message_base64",
        "plaintext_base64",
        "signature",
        "EncryptedKeyMaterial",
        "expires",
    ];
    let typed = Typed(typed.iter().map(|name| ((*name).to_owned(), value.to_owned())).collect());
    let key = json!({ "KeyId": value, "Description": value, "KeyState": "Enabled", "KeySpec": value,
        "KeyUsage": "ENCRYPT/DECRYPT", "Origin": "Aliyun_KMS", "CreationDate": value, "Arn": value, "DeleteDate": value,
        "PrimaryKeyVersion": value });
    let row = json!({ "AliasName": value, "TagKey": value, "TagValue": value, "KeyVersionId": value,
        "CreationDate": value, "UserName": value, "DisplayName": value, "Comments": value, "CreateDate": value,
        "AccessKeyId": value, "Status": value, "PolicyName": value, "PolicyType": value });
    let usage = json!({ "LastUsed": value, "LastUsedBy": value });
    let rows = [row.clone()];
    let event = json!({ "eventId": value, "eventName": value, "eventType": value, "eventTime": value, "errorCode": value,
        "errorMessage": value, "sourceIpAddress": value, "userAgent": value, "userIdentity": { "userName": value } });
    let all_times = EventFilter { by: value.into(), value: value.into(), kind: value.into(), ..EventFilter::default() };
    let filter = EventFilter { from: value.into(), to: value.into(), ..all_times.clone() };
    let bars = [Bar { from: value.into(), allowed: 2, refused: 1 }, Bar { from: value.into(), allowed: 0, refused: 0 }];
    let ends = [value.to_owned(), value.to_owned()];
    let line = TimeLine { bars: &bars, ends: &ends, only_since: Some(value) };
    let events = std::slice::from_ref(&event);
    let session = |is_own| SessionRow {
        id: value,
        user: value.into(),
        began: value.into(),
        last: value.into(),
        source_ip: value,
        user_agent: value,
        is_own,
    };
    let of_key = |state: &str| {
        let mut key = key.clone();
        key["KeyState"] = Value::from(state);
        let (aliases, tags, versions) = (&rows[..], &rows[..], &rows[..]);
        let parts = KeyParts { metadata: &key, usage: &usage, aliases, tags, versions, policy: value, typed: &typed };
        pages::key(&frame(Some(&denied)), &parts)
    };
    let mut all = sign_in::all_pages(&frame(None), &frame(Some(&refusal)), value);
    all.extend(people::all_pages(&frame(None), value));
    all.extend(keys::all_pages(&frame(None), value, &typed));
    all.extend(server::all_pages(&frame(None), value));
    all.extend([
        pages::create_key(&frame(Some(&refusal)), &typed),
        of_key("Enabled"),
        of_key("Disabled"),
        of_key("PendingDeletion"),
        of_key(value),
        pages::try_it(&frame(None), value, &typed, &Tried::Ciphertext(value)),
        pages::try_it(&frame(None), value, &typed, &Tried::Plaintext(Some(value), value)),
        pages::try_it(&frame(None), value, &typed, &Tried::Plaintext(None, value)),
        pages::grant(&frame(None), value, &rows, &typed),
        pages::grant(&frame(None), value, &[], &typed),
        pages::audit(&frame(None), &filter, (events, Some(value)), Some(&line)),
        pages::audit(&frame(None), &all_times, (&[], None), None),
        pages::event(&frame(None), &event, Some(value), true),
        pages::sessions(&frame(None), &[session(true), session(false)]),
        pages::message(&frame(Some(&refusal)), "not-found-title", "not-found"),
        pages::malformed(),
    ]);
    all
}

#[test]
fn what_callers_fill_in_stays_text() {
    for lang in Lang::ALL {
        for page in all_pages(Texts::of(lang), HOSTILE) {
            assert!(
                !page.contains("<script>alert") && !page.contains("<img src=x") && !page.contains("\"'>"),
                "{page}"
            );
            // The only scripts and styles are files of ours.
            assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/assets/console.js\"").count());
            for inline in [" style=", "<style", " onclick=", "javascript:", "http://"] {
                assert!(!page.contains(inline), "{inline}: {page}");
            }
        }
    }
}

/// The text between tags, without what is marked as not to be translated.
fn own_text(page: &str) -> String {
    let (mut out, mut skipped, mut rest) = (String::new(), Vec::new(), page);
    while let Some((text, after)) = rest.split_once('<') {
        let (tag, next) = after.split_once('>').unwrap();
        if skipped.is_empty() {
            out.push_str(text);
        }
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        let is_void = ["meta", "link", "input", "img", "!DOCTYPE"].contains(&name);
        if tag.starts_with('/') {
            if skipped.last() == Some(&name) {
                skipped.pop();
            }
        } else if !is_void && (name == "code" || tag.contains("translate=\"no\"") || skipped.last() == Some(&name)) {
            skipped.push(name);
        }
        rest = next;
    }
    out
}

#[test]
fn no_page_has_a_text_beside_the_catalogues() {
    let catalogue = Lang::English.catalogue().concat();
    let marked: String = messages(&catalogue).iter().fold(String::new(), |all, (id, _)| all + id + " = 一\n");
    let texts: &'static Texts = Box::leak(Box::new(Texts::read(Lang::Japanese, &[&marked])));
    // `malformed` takes the real ones.
    let pages = all_pages(texts, "0");
    for page in &pages[..pages.len() - 1] {
        let letters: String = own_text(page).replace("UTC", "").chars().filter(char::is_ascii_alphabetic).collect();
        // Specs and permissions are the API's own words.
        let specs = ["AliyunAES", "AliyunSM", "RSA", "ECP", "ECSM", "HMACSHA", "HMACSM"];
        let letters = specs.iter().fold(letters, |letters, spec| letters.replace(spec, ""));
        assert!(letters.is_empty(), "{letters}: {page}");
    }
}

#[test]
fn pages_are_small() {
    let assets: usize = crate::ASSETS.iter().map(|asset| asset.content.len()).sum();
    for page in all_pages(Texts::of(Lang::Japanese), "some value") {
        assert!(page.len() + assets < 50_000, "{} bytes", page.len() + assets);
    }
}

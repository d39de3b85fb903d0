//! Answers in XML: the same members as in JSON, under the root `KMS`.

use jomae_api::{actions::metadata::KeyState, describe};
use quick_xml::{Reader, events::Event};
use serde_json::Value;

use crate::common::{Credentials, Subject, World, actions_that_work};

const XML: (&str, &str) = ("Format", "xml");

/// Every text of the document with the names of the elements around it, in order, and the root's name.
fn texts(document: &[u8]) -> (String, Vec<(String, String)>) {
    let mut reader = Reader::from_str(std::str::from_utf8(document).unwrap());
    let (mut names, mut found, mut root) = (Vec::<String>::new(), Vec::new(), None);
    let (mut text, mut leaf) = (String::new(), false);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                let name = start.name().as_ref().to_owned();
                assert!(root.is_none() || !names.is_empty(), "one root");
                root.get_or_insert_with(|| name.clone());
                names.push(name);
                text.clear();
                leaf = true;
            }
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(entity) => {
                text.push_str(quick_xml::escape::resolve_predefined_entity(&entity).unwrap());
            }
            Event::End(end) => {
                assert_eq!(names.last().unwrap(), end.name().as_ref());
                if leaf {
                    found.push((names[1..].join("/"), std::mem::take(&mut text)));
                }
                leaf = false;
                names.pop();
            }
            Event::Eof => break,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(names.is_empty());
    (root.unwrap(), found)
}

/// The same of a JSON document. A list repeats the element of its name.
fn flattened(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                flattened(value, &path, found);
            }
            // An element without members is an element all the same.
            if members.values().all(|value| value == &Value::Array(vec![])) && !path.is_empty() {
                found.push((path.to_owned(), String::new()));
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| flattened(row, path, found)),
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        other => found.push((path.to_owned(), other.to_string())),
    }
}

fn same(xml: &[u8], json: &[u8]) -> String {
    let (root, mut of_xml) = texts(xml);
    let mut of_json = Vec::new();
    flattened(&serde_json::from_slice(json).unwrap(), "", &mut of_json);
    for list in [&mut of_xml, &mut of_json] {
        // These are new each time.
        list.iter_mut().filter(|(path, _)| path == "RequestId").for_each(|(_, text)| text.clear());
        list.sort_unstable();
    }
    assert_eq!(of_xml, of_json);
    root
}

#[test]
fn reading_actions_say_the_same() {
    let world = World::new();
    let alice = world.alice();
    let subject = Subject::new(&world, KeyState::Enabled);
    let odd = "<a href=\"x\">&amp; ]]> 'q' \u{1f511}";
    alice.done("UpdateKeyDescription", &[("KeyId", &subject.key), ("Description", odd)]);
    alice.done("CreateAlias", &[("KeyId", &subject.key), ("AliasName", "alias/second/name")]);
    for action in ["DescribeKey", "ListKeys", "ListAliases", "ListAliasesByKeyId", "DescribeRegions", "Decrypt"] {
        let mut params = subject.params(action);
        let json = alice.reply(action, &params);
        params.push(XML);
        let xml = alice.reply(action, &params);
        assert_eq!((xml.status, xml.format.content_type()), (200, "text/xml;charset=utf-8"), "{action}");
        assert_eq!(same(&xml.body, &json.body), "KMS", "{action}");
    }
    let bob = world.bob();
    let (json, xml) = (bob.reply("ListKeys", &[]), bob.reply("ListKeys", &[XML]));
    assert_eq!(same(&xml.body, &json.body), "KMS", "an empty list");
}

#[test]
fn every_action_answers_in_xml() {
    for spec in actions_that_work() {
        let world = World::new();
        let subject = Subject::of(&world, spec.name);
        // So that there is something to say of the use of the key.
        world.flush();
        let mut params = subject.params(spec.name);
        params.push(XML);
        if spec.name == "ListKeys" {
            // So that there is something to count.
            params.extend([("Details", "true"), ("Text", subject.key.as_str())]);
        }
        let reply = world.alice().reply(spec.name, &params);
        assert_eq!(reply.status, 200, "{}", spec.name);
        let (root, found) = texts(&reply.body);
        assert_eq!(root, "KMS");
        assert!(found.contains(&("RequestId".to_owned(), reply.request_id)), "{}", spec.name);
        let described = describe::ALL.iter().find(|described| described.spec.name == spec.name).unwrap();
        for member in described.answer.iter().map(|member| member.name) {
            let below = format!("{member}/");
            assert!(found.iter().any(|(path, _)| path == member || path.starts_with(&below)), "{} {member}", spec.name);
        }
    }
}

#[test]
fn errors_in_xml() {
    let world = World::new();
    let none = [("KeyId", "none")];
    let json = world.alice().reply("DescribeKey", &none);
    let xml = world.alice().reply("DescribeKey", &[none[0], XML]);
    assert_eq!(same(&xml.body, &json.body), "KMS");
    let unknown = Credentials { id: "LTAIx".to_owned(), ..world.alice.clone() };
    let client = world.alice().with(&unknown);
    let (json, xml) = (client.reply("ListKeys", &[]), client.reply("ListKeys", &[XML]));
    assert_eq!(same(&xml.body, &json.body), "Error", "the gateway's root");
    let wrong = Credentials { secret: b"<&>".to_vec(), ..world.alice.clone() };
    let reply = world.alice().with(&wrong).reply("CreateKey", &[XML, ("Description", "</Message>")]);
    let (root, found) = texts(&reply.body);
    assert_eq!((root.as_str(), found.iter().filter(|(path, _)| path == "Message").count()), ("Error", 1));
}

//! Bodies of answers, in JSON and XML, around texts of any characters.
//!
//! Input: the text. Both forms must be well formed and give the text back; XML with U+FFFD for what it cannot hold.

#![no_main]

use jomae_api::error::{Origin, Refusal, Row};
use jomae_api::wire::{Format, render};
use libfuzzer_sys::fuzz_target;
use quick_xml::events::Event;
use serde_json::{Value, json};

/// The texts of the elements that hold text, by name, in order.
fn read_xml(body: &[u8], root: &str) -> Vec<(String, String)> {
    let text = std::str::from_utf8(body).unwrap();
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut open, mut found, mut current) = (Vec::<String>::new(), Vec::new(), String::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                open.push(String::from_utf8(start.name().as_ref().as_bytes().to_vec()).unwrap());
                current.clear();
            }
            Event::End(_) => {
                let name = open.pop().unwrap();
                if open.is_empty() {
                    assert_eq!(name, root);
                } else {
                    found.push((name, std::mem::take(&mut current)));
                }
            }
            Event::Text(text) => current.push_str(&text),
            Event::GeneralRef(entity) => {
                current.push_str(&quick_xml::escape::unescape(&format!("&{};", &*entity)).unwrap());
            }
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(open.is_empty());
    found
}

/// The text as XML 1.0 can hold it.
fn in_xml(text: &str) -> String {
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

fn success(format: Format, output: &Value, request_id: &str) -> Result<Vec<u8>, render::RenderError> {
    render::success(format, |body| serde_json::to_writer(body, output), request_id, "KMS")
}

fuzz_target!(|text: &str| {
    let output = json!({"Text": text, "List": {"Item": [text, ""]}});
    let body = success(Format::Json, &output, text).unwrap();
    let read: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(read, json!({"Text": text, "List": {"Item": [text, ""]}, "RequestId": text}));

    let body = success(Format::Xml, &output, text).unwrap();
    let read = read_xml(&body, "KMS");
    let shown = in_xml(text);
    let of =
        |name: &str| read.iter().filter(|(found, _)| found == name).map(|(_, text)| text.as_str()).collect::<Vec<_>>();
    assert_eq!(of("Text"), [&shown]);
    assert_eq!(of("Item"), [&shown, ""]);
    assert_eq!(of("RequestId"), [&shown]);

    for (origin, root) in [(Origin::Kms, "KMS"), (Origin::Gateway, "Error")] {
        let row = Row { origin, ..*Refusal::NeedTls.row() };
        let body = render::error(Format::Json, &row, text, text, text, None);
        let read: Value = serde_json::from_slice(&body).unwrap();
        for name in ["Message", "RequestId", "HostId"] {
            assert_eq!(read[name], text);
        }
        let body = render::error(Format::Xml, &row, text, text, text, None);
        let texts = read_xml(&body, root);
        for name in ["Message", "RequestId", "HostId"] {
            assert!(texts.contains(&(name.to_owned(), shown.clone())), "{name}");
        }
    }
    // A name that is no element name is refused, never written.
    if let Ok(body) = success(Format::Xml, &json!({text: 1}), "id") {
        assert!(read_xml(&body, "KMS").contains(&(text.to_owned(), "1".to_owned())));
    }
});

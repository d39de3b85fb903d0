//! Bodies of answers, in JSON and XML.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::Format;
use crate::denied::AccessDeniedDetail;
use crate::error::{Origin, Row};
use crate::json;

/// Why an output cannot be put on the wire. Always a bug of ours, never of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenderError {
    /// The output's own `Serialize` failed.
    Serialize,
    /// The output is neither an object nor empty.
    NotAnObject,
    /// A member's name cannot be the name of an XML element.
    XmlName,
}

/// The body of a success: the members of an object that `write` writes, then `RequestId`. An object without members
/// gives `RequestId` alone.
///
/// In XML the members nest exactly as in JSON under the given root (`KMS`, or `<Action>Response` in other APIs); a list
/// repeats the element of its name.
pub fn success(
    format: Format,
    write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    request_id: &str,
    xml_root: &str,
) -> Result<Vec<u8>, RenderError> {
    let mut body = Vec::with_capacity(512);
    write(&mut body).map_err(|_| RenderError::Serialize)?;
    match body.as_slice() {
        b"null" | b"{}" => {
            body.clear();
            body.push(b'{');
        }
        [b'{', .., b'}'] => {
            body.pop();
            body.push(b',');
        }
        _ => return Err(RenderError::NotAnObject),
    }
    body.extend_from_slice(b"\"RequestId\":");
    json::text(&mut body, request_id);
    body.push(b'}');
    match format {
        Format::Json => Ok(body),
        Format::Xml => xml(&Zeroizing::new(body), xml_root),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    request_id: &'a str,
    host_id: &'a str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_denied_detail: Option<&'a AccessDeniedDetail>,
}

/// The body of an error. Errors of KMS itself carry `HttpStatus` and have the XML root `<KMS>`; those of the gateway
/// have `<Error>`, the only root under which a client reads an XML error.
pub fn error(
    format: Format,
    row: &Row,
    message: &str,
    request_id: &str,
    host_id: &str,
    access_denied_detail: Option<&AccessDeniedDetail>,
) -> Vec<u8> {
    let (root, http_status) = match row.origin {
        Origin::Kms => ("KMS", Some(row.status)),
        Origin::Gateway => ("Error", None),
    };
    let body = ErrorBody { request_id, host_id, code: row.code, message, http_status, access_denied_detail };
    // Neither step can fail: texts and a number, under fixed names, into memory.
    let json = serde_json::to_vec(&body).unwrap_or_default();
    match format {
        Format::Json => json,
        Format::Xml => xml(&json, root).unwrap_or_default(),
    }
}

/// The same members as XML elements, in the same order.
fn xml(json: &[u8], root: &str) -> Result<Vec<u8>, RenderError> {
    let mut writer = Writer::new(Vec::with_capacity(json.len() * 2));
    let mut reader = serde_json::Deserializer::from_slice(json);
    Element { name: root, writer: &mut writer }.deserialize(&mut reader).map_err(|_| RenderError::XmlName)?;
    Ok(writer.into_inner())
}

/// Writes one JSON value as the element `name`, or as one element for each member if it is a list.
struct Element<'w, 'n> {
    name: &'n str,
    writer: &'w mut Writer<Vec<u8>>,
}

impl Element<'_, '_> {
    fn text<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let write = |writer: &mut Writer<Vec<u8>>| {
            writer.write_event(Event::Start(BytesStart::new(self.name)))?;
            writer.write_event(Event::Text(BytesText::new(&representable(text))))?;
            writer.write_event(Event::End(BytesEnd::new(self.name)))
        };
        write(self.writer).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.writer.write_event(Event::Start(BytesStart::new(self.name))).map_err(A::Error::custom)?;
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            if !is_element_name(&name) {
                return Err(A::Error::custom("not an element name"));
            }
            members.next_value_seed(Element { name: &name, writer: self.writer })?;
        }
        self.writer.write_event(Event::End(BytesEnd::new(self.name))).map_err(A::Error::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_element_seed(Element { name: self.name, writer: self.writer })?.is_some() {}
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.text(text)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.text(if value { "true" } else { "false" })
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.text(&value.to_string())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.text("")
    }
}

pub(crate) fn is_element_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// The text with U+FFFD for each character that XML 1.0 cannot hold, not even escaped.
fn representable(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    if text.contains(forbidden) { Cow::Owned(text.replace(forbidden, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denied::{DecidedBy, NoPermissionType, PrincipalType};
    use crate::error::Refusal;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(body: Vec<u8>) -> String {
        String::from_utf8(body).unwrap()
    }

    fn ok(format: Format, output: &impl Serialize) -> String {
        text(of(format, output).unwrap())
    }

    fn of(format: Format, output: &impl Serialize) -> Result<Vec<u8>, RenderError> {
        success(format, |out| serde_json::to_writer(out, output), "id", "KMS")
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Keys {
        total_count: u32,
        keys: KeyList,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct KeyList {
        key: Vec<Key>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Key {
        key_id: &'static str,
        enabled: bool,
    }

    #[derive(Serialize)]
    struct Nothing {}

    #[test]
    fn members_then_request_id() {
        let key = |key_id| Key { key_id, enabled: true };
        let two = Keys { total_count: 2, keys: KeyList { key: vec![key("a"), key("b")] } };
        assert_eq!(
            ok(Format::Json, &two),
            r#"{"TotalCount":2,"Keys":{"Key":[{"KeyId":"a","Enabled":true},{"KeyId":"b","Enabled":true}]},"RequestId":"id"}"#
        );
        assert_eq!(
            ok(Format::Xml, &two),
            "<KMS><TotalCount>2</TotalCount><Keys><Key><KeyId>a</KeyId><Enabled>true</Enabled></Key>\
             <Key><KeyId>b</KeyId><Enabled>true</Enabled></Key></Keys><RequestId>id</RequestId></KMS>"
        );
        let none = Keys { total_count: 0, keys: KeyList { key: vec![] } };
        assert_eq!(ok(Format::Json, &none), r#"{"TotalCount":0,"Keys":{"Key":[]},"RequestId":"id"}"#);
        assert_eq!(
            ok(Format::Xml, &none),
            "<KMS><TotalCount>0</TotalCount><Keys></Keys><RequestId>id</RequestId></KMS>"
        );
    }

    #[test]
    fn outputs_without_members() {
        for body in [ok(Format::Json, &Nothing {}), ok(Format::Json, &())] {
            assert_eq!(body, r#"{"RequestId":"id"}"#);
        }
        assert_eq!(ok(Format::Xml, &Nothing {}), "<KMS><RequestId>id</RequestId></KMS>");
        assert_eq!(of(Format::Json, &"text"), Err(RenderError::NotAnObject));
        assert_eq!(of(Format::Json, &[1]), Err(RenderError::NotAnObject));
        assert_eq!(of(Format::Xml, &json!({"a b": 1})), Err(RenderError::XmlName));
        assert_eq!(of(Format::Json, &json!({"a b": 1})).map(text).unwrap(), r#"{"a b":1,"RequestId":"id"}"#);
    }

    #[test]
    fn xml_escapes() {
        let body = ok(Format::Xml, &json!({"A": "<&>\"'\r\n\t\0\u{1b}é", "B": null, "C": -1, "D": 1.5}));
        assert_eq!(
            body,
            "<KMS><A>&lt;&amp;&gt;&quot;&apos;&#13;\n\t\u{fffd}\u{fffd}é</A><B></B><C>-1</C><D>1.5</D>\
             <RequestId>id</RequestId></KMS>"
        );
    }

    #[test]
    fn errors() {
        let row = |origin| Row { origin, ..*Refusal::KeyNotFound.row() };
        let body = |format, origin| text(error(format, &row(origin), "A \"B\".", "id", "kms.test", None));
        assert_eq!(
            body(Format::Json, Origin::Kms),
            r#"{"RequestId":"id","HostId":"kms.test","Code":"Forbidden.KeyNotFound","Message":"A \"B\".","HttpStatus":404}"#
        );
        assert_eq!(
            body(Format::Json, Origin::Gateway),
            r#"{"RequestId":"id","HostId":"kms.test","Code":"Forbidden.KeyNotFound","Message":"A \"B\"."}"#
        );
        let members = "<RequestId>id</RequestId><HostId>kms.test</HostId><Code>Forbidden.KeyNotFound</Code>\
                       <Message>A &quot;B&quot;.</Message>";
        assert_eq!(body(Format::Xml, Origin::Kms), format!("<KMS>{members}<HttpStatus>404</HttpStatus></KMS>"));
        assert_eq!(body(Format::Xml, Origin::Gateway), format!("<Error>{members}</Error>"));
    }

    #[test]
    fn errors_with_what_was_denied() {
        let detail = AccessDeniedDetail {
            auth_action: "kms:Decrypt",
            auth_principal_type: PrincipalType::Session,
            auth_principal_display_name: "role:session".to_owned(),
            auth_principal_owner_id: "1".to_owned(),
            no_permission_type: NoPermissionType::Explicit,
            policy_type: DecidedBy::Identity,
            encoded_diagnostic_message: None,
        };
        let body = |format| text(error(format, Refusal::NoPermission.row(), "No.", "id", "", Some(&detail)));
        assert_eq!(
            body(Format::Json),
            r#"{"RequestId":"id","HostId":"","Code":"Forbidden.NoPermission","Message":"No.","HttpStatus":403,"#
                .to_owned()
                + r#""AccessDeniedDetail":{"AuthAction":"kms:Decrypt","AuthPrincipalType":"AssumedRoleUser","#
                + r#""AuthPrincipalDisplayName":"role:session","AuthPrincipalOwnerId":"1","#
                + r#""NoPermissionType":"ExplicitDeny","PolicyType":"AccountLevelIdentityBasedPolicy"}}"#
        );
        let xml = body(Format::Xml);
        assert!(xml.contains("<AccessDeniedDetail><AuthAction>kms:Decrypt</AuthAction>"), "{xml}");
    }

    proptest! {
        #[test]
        fn xml_reads_back(value in any::<String>()) {
            let body = ok(Format::Xml, &json!({"V": value}));
            let mut reader = quick_xml::Reader::from_str(&body);
            let mut read = String::new();
            let mut depth = 0;
            loop {
                match reader.read_event().unwrap() {
                    Event::Start(_) => depth += 1,
                    Event::End(_) if depth == 2 => break,
                    Event::Text(text) => read.push_str(&text),
                    Event::GeneralRef(entity) => {
                        read.push_str(&quick_xml::escape::unescape(&format!("&{};", &*entity)).unwrap());
                    }
                    Event::Eof => prop_assert!(false, "no end"),
                    _ => {}
                }
            }
            prop_assert_eq!(read, representable(&value));
        }

        #[test]
        fn errors_are_always_a_body(message in any::<String>()) {
            for format in [Format::Json, Format::Xml] {
                prop_assert!(error(format, Refusal::NeedTls.row(), &message, "id", "h", None).len() > 20);
            }
        }
    }
}

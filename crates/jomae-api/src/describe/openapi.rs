//! `docs/openapi.json`: OpenAPI 3.1.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ALL, Described, is_of_every_call};
use crate::{
    API_VERSION,
    action::{Effect, Group},
    answer::{Answer, Member, Shape},
    denied::AccessDeniedDetail,
    error::Refusal,
    param::{Kind, Use},
};

/// The description as JSON text, members in the order of their names.
///
/// # Errors
///
/// The refusal of an example that is not well formed.
pub fn openapi() -> Result<String, Refusal> {
    let mut paths = Map::new();
    for described in ALL {
        paths.insert(format!("/?Action={}", described.spec.name), json!({ "post": operation(described)? }));
    }
    let tags: Vec<Value> = Group::ALL.iter().map(|group| json!({ "name": group.title() })).collect();
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Jomae",
            "version": API_VERSION,
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "https://127.0.0.1:8443", "description": "the default address of `jomae serve`" }],
        "tags": tags,
        "security": [{ "acs": [] }, { "rpc": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "schemas": { "Error": error_schema() },
            "responses": common_responses(),
            "headers": {
                "RequestId": {
                    "description": "ID of the request, as in the body.",
                    "schema": { "type": "string", "format": "uuid" },
                },
            },
        },
    });
    let mut text = format!("{:#}", sorted(description));
    text.push('\n');
    Ok(text)
}

const INTRODUCTION: &str = "The key management API of Jomae, in the RPC style of the API that it is compatible with: \
every action is a POST (or GET) on the path `/`. Beside the key management API it has RAM (2015-05-01), STS (2015-04-01) and \
ActionTrail (2020-07-06), which a request names by its version. This description has one path an action, `/?Action=NAME`, since a path can \
hold one POST only; ACS signatures name the action in the header `x-acs-action` instead, and the version in \
`x-acs-version`. Parameters may stand in the query, in the form body, or in both. Parameters and members marked with \
`x-jomae-extension` do not exist in the public service. Written from the declarations in `crates/jomae-api`; do not edit.";

/// The same value with members in the order of their names, however the library keeps them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> =
                members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn operation(described: &Described) -> Result<Value, Refusal> {
    let spec = described.spec;
    let needs: Vec<Value> = described
        .needs()?
        .iter()
        .filter_map(|need| need.ram_action.map(|ram_action| json!({ "action": ram_action, "resource": need.resource })))
        .collect();
    let states = [
        ("Enabled", spec.states.enabled),
        ("Disabled", spec.states.disabled),
        ("PendingDeletion", spec.states.pending_deletion),
        ("PendingImport", spec.states.pending_import),
    ];
    let states: Map<String, Value> =
        states.into_iter().map(|(state, refusal)| (state.to_owned(), json!(refusal.map(|r| r.code())))).collect();
    let mut operation = json!({
        "operationId": spec.name,
        "summary": spec.doc.split_once(". ").map_or(spec.doc, |(first, _)| first).trim_end_matches('.'),
        "description": spec.doc,
        "tags": [spec.group.title()],
        "responses": responses(described),
        "x-jomae-changes-something": spec.effect == Effect::Write,
        "x-jomae-permissions": needs,
        "x-jomae-states": states,
        "x-jomae-version": spec.api().version(),
    });
    // A token of an identity provider takes the place of the signature.
    if !spec.signed
        && let Some(members) = operation.as_object_mut()
    {
        members.insert("security".to_owned(), json!([]));
    }
    if let Some(body) = request_body(described)
        && let Some(members) = operation.as_object_mut()
    {
        members.insert("requestBody".to_owned(), body);
    }
    Ok(operation)
}

fn request_body(described: &Described) -> Option<Value> {
    if described.spec.params.is_empty() {
        return None;
    }
    let (mut properties, mut patterns, mut required) = (Map::new(), Map::new(), Vec::new());
    for used in described.taken() {
        let name = used.param.name();
        match used.param.kind() {
            Kind::List => patterns.insert(format!("^{name}\\.[1-9][0-9]*$"), parameter(used)),
            Kind::Pairs => patterns.insert(format!("^{name}\\.[1-9][0-9]*\\.(Key|Value)$"), parameter(used)),
            Kind::Map => {
                patterns.insert(format!("^{name}\\."), json!({ "type": "string" }));
                properties.insert(name.to_owned(), parameter(used))
            }
            Kind::Text | Kind::Integer | Kind::Boolean | Kind::Base64 | Kind::Json => {
                properties.insert(name.to_owned(), parameter(used))
            }
        };
        if used.required {
            required.push(match used.param.kind() {
                Kind::List => format!("{name}.1"),
                Kind::Pairs => format!("{name}.1.Key"),
                _ => name.to_owned(),
            });
        }
    }
    let example: Map<String, Value> = described
        .spec
        .example
        .iter()
        .map(|(name, value)| ((*name).to_owned(), example(described.spec.params, name, value)))
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if let Some(members) = schema.as_object_mut() {
        if !patterns.is_empty() {
            members.insert("patternProperties".to_owned(), Value::Object(patterns));
        }
        if !required.is_empty() {
            members.insert("required".to_owned(), json!(required));
        }
    }
    let content = json!({ "application/x-www-form-urlencoded": { "schema": schema, "example": example } });
    Some(json!({ "required": !required.is_empty(), "content": content }))
}

/// The value of an example in the type of its parameter.
fn example(params: &[Use], name: &str, value: &str) -> Value {
    let kind = params.iter().find(|used| used.param.name() == name).map(|used| used.param.kind());
    match kind {
        Some(Kind::Integer | Kind::Boolean) => serde_json::from_str(value).unwrap_or_else(|_| json!(value)),
        _ => json!(value),
    }
}

fn parameter(used: &Use) -> Value {
    let param = used.param;
    let mut schema = match param.kind() {
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Base64 => json!({ "type": "string", "contentEncoding": "base64" }),
        Kind::Json | Kind::Map => json!({ "type": "string", "contentMediaType": "application/json" }),
        Kind::Text | Kind::List | Kind::Pairs => json!({ "type": "string" }),
    };
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), json!(format!("{} Value: {}.", param.doc(), param.limits())));
        if param.extension() {
            members.insert("x-jomae-extension".to_owned(), json!(true));
        }
    }
    schema
}

const REQUEST_ID: Member = Member {
    name: "RequestId",
    shape: Shape::Text,
    optional: false,
    extension: false,
    doc: "ID of the request, also in the header x-acs-request-id.",
};

fn responses(described: &Described) -> Map<String, Value> {
    let mut responses = Map::new();
    let members = described.answer.iter().chain([&REQUEST_ID]);
    responses.insert("200".to_owned(), response("Success.".to_owned(), &object(members)));

    let own = described.refusals();
    for (status, codes) in by_status(&own) {
        responses.insert(status.to_string(), error_response(&codes));
    }
    // Where an action adds nothing of its own, the answer is that of every action.
    for status in by_status(&of_every_call()).into_keys() {
        let common = json!({ "$ref": format!("#/components/responses/Error{status}") });
        responses.entry(status.to_string()).or_insert(common);
    }
    responses
}

fn of_every_call() -> Vec<Refusal> {
    Refusal::ALL.iter().filter(|refusal| is_of_every_call(refusal)).copied().collect()
}

/// The errors that any call can end with, by status.
fn common_responses() -> Map<String, Value> {
    let by_status = by_status(&of_every_call());
    by_status.into_iter().map(|(status, codes)| (format!("Error{status}"), error_response(&codes))).collect()
}

/// The codes of some refusals, and with each status those that any call can end with.
fn by_status(refusals: &[Refusal]) -> BTreeMap<u16, Vec<&'static str>> {
    let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for refusal in refusals {
        by_status.entry(refusal.status()).or_default();
    }
    for refusal in refusals.iter().chain(&of_every_call()) {
        if let Some(codes) = by_status.get_mut(&refusal.status())
            && !codes.contains(&refusal.code())
        {
            codes.push(refusal.code());
        }
    }
    by_status
}

fn error_response(codes: &[&str]) -> Value {
    response(format!("{}.", codes.join(", ")), &json!({ "$ref": "#/components/schemas/Error" }))
}

fn response(description: String, schema: &Value) -> Value {
    let mut response = json!({
        "headers": { "x-acs-request-id": { "$ref": "#/components/headers/RequestId" } },
        "content": { "application/json": { "schema": schema } },
    });
    if let Some(members) = response.as_object_mut() {
        members.insert("description".to_owned(), Value::String(description));
    }
    response
}

fn object<'a>(members: impl Iterator<Item = &'a Member>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for member in members {
        if !member.optional {
            required.push(member.name);
        }
        properties.insert(member.name.to_owned(), member_schema(member));
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn member_schema(member: &Member) -> Value {
    let mut schema = match member.shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Date => json!({ "type": "string", "format": "date-time" }),
        Shape::DateOrEmpty => {
            json!({ "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "maxLength": 0 }] })
        }
        Shape::Base64 => json!({ "type": "string", "contentEncoding": "base64" }),
        Shape::Integer => json!({ "type": "integer" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Choice(names) => json!({ "type": "string", "enum": names() }),
        Shape::Object(members) => object(members.iter()),
        Shape::List(row, members) => {
            let rows = json!({ "type": "array", "items": object(members.iter()) });
            json!({ "type": "object", "properties": { row: rows }, "required": [row], "additionalProperties": false })
        }
        Shape::Objects(members) => json!({ "type": "array", "items": object(members.iter()) }),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Counts => json!({ "type": "object", "additionalProperties": { "type": "integer" } }),
        Shape::Events => json!({ "type": "array", "items": { "type": "object" } }),
    };
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), json!(member.doc));
        if member.extension {
            members.insert("x-jomae-extension".to_owned(), json!(true));
        }
    }
    schema
}

fn error_schema() -> Value {
    let text = |doc: &str| json!({ "type": "string", "description": doc });
    let mut detail = object(AccessDeniedDetail::MEMBERS.iter());
    if let Some(members) = detail.as_object_mut() {
        let doc = "Of a missing permission: what the caller's account may know.";
        members.insert("description".to_owned(), json!(doc));
    }
    json!({
        "type": "object",
        "properties": {
            "RequestId": text("ID of the request."),
            "HostId": text("The Host of the request in errors of the gateway, empty in those of KMS."),
            "Code": { "type": "string", "description": "What a program may decide by.", "enum": codes() },
            "Message": text("What a person may read."),
            "HttpStatus": { "type": "integer", "description": "The status, in errors of KMS." },
            "AccessDeniedDetail": detail,
        },
        "required": ["RequestId", "HostId", "Code", "Message"],
        "additionalProperties": false,
    })
}

/// Every code, each once.
fn codes() -> Vec<&'static str> {
    let mut codes: Vec<_> = Refusal::ALL.iter().map(Refusal::code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn security_schemes() -> Value {
    json!({
        "acs": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`ACS3-HMAC-SHA256`, `ACS3-HMAC-SM3`, `ACS4-HMAC-SHA256` or `ACS4-HMAC-SM3`, with `Credential`, \
                `SignedHeaders` and `Signature`, over method, path, query, headers and the hash of the body. The action is \
                in `x-acs-action`, the version in `x-acs-version`, the moment in `x-acs-date`, the nonce in \
                `x-acs-signature-nonce`.",
        },
        "rpc": {
            "type": "apiKey",
            "in": "query",
            "name": "Signature",
            "description": "RPC version 1: HMAC-SHA1 over the method and all parameters, with `AccessKeyId`, \
                `SignatureMethod`, `SignatureVersion`, `SignatureNonce`, `Timestamp`, `Action` and `Version` as further \
                parameters. All of them may stand in the query or in the form body.",
        },
    })
}

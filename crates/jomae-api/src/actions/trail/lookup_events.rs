//! `LookupEvents`: recorded calls by time and by what they were about.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use crate::{
    actions::{prelude::*, trail::Token},
    answer::{Shape, wire_enum},
    wire::{Format, render::is_element_name},
};

request! {
    pub struct LookupEvents {
        /// Start and end, both included.
        range: Option<(Timestamp, Timestamp)> = optional START_TIME and optional END_TIME => parse_range,
        /// All must match; no attribute stands here twice.
        attributes: Vec<(Attribute, String)> = optional LOOKUP_ATTRIBUTE => parse_attributes,
        direction: Direction = optional DIRECTION or Direction::Backward,
        /// 1–50 events of a page.
        max_results: u32 = optional MAX_RESULTS_PARAM => parse_max_results,
        next_token: Option<Token> = optional NEXT_TOKEN,
    }
}

wire_enum!(
    /// What of an event a look-up compares, exactly.
    Attribute {
        ServiceName = "ServiceName",
        EventName = "EventName",
        /// `userIdentity.userName`.
        User = "User",
        EventId = "EventId",
        /// A type of `referencedResources`.
        ResourceType = "ResourceType",
        /// A name in `referencedResources`.
        ResourceName = "ResourceName",
        EventRW = "EventRW",
        /// `userIdentity.accessKeyId`.
        EventAccessKeyId = "EventAccessKeyId",
        SourceIpAddress = "SourceIpAddress",
        EventType = "EventType",
        /// The role of an assumed role: its `userName` up to the colon.
        RoleName = "RoleName",
    }
);

wire_enum!(
    /// In which order events come.
    Direction {
        /// The newest first.
        Backward = "BACKWARD",
        /// The oldest first.
        Forward = "FORWARD",
    }
);

answer! {
    pub struct Output {
        /// The first second of the range.
        start_time: Timestamp => "StartTime",
        /// The last second of the range.
        end_time: Timestamp => "EndTime",
        /// Where the next page begins; absent on the last.
        next_token: Option<String> => "NextToken",
        /// The page, each event as it was recorded.
        events: Vec<Event> => "Events",
        /// Of a cluster: nodes whose log could not be asked in time, so that events of theirs may be missing here.
        /// Absent if all have answered.
        unanswered_nodes: Option<Vec<UnansweredNode>> => "UnansweredNodes",
    }
}

answer! {
    pub struct UnansweredNode {
        /// Its name.
        node: String => "Node",
        /// How many events its log had when it last told the cluster; of all accounts.
        events: u64 => "Events",
    }
}

/// A recorded event, byte for byte as it stands in the log: the JSON text is what the log's tree has hashed.
#[derive(Debug)]
pub struct Event(Box<RawValue>);

impl crate::answer::Value for Vec<Event> {
    const SHAPE: Shape = Shape::Events;
}

impl Event {
    /// `None` if the line is no JSON.
    ///
    /// XML has no elements with names such as `ACS::KMS::Key`. There an object with such a member stands as its JSON
    /// text, so that nothing is lost and no name is invented.
    pub fn new(line: &str, format: Format) -> Option<Self> {
        let raw = match format {
            Format::Json => RawValue::from_string(line.to_owned()),
            Format::Xml => {
                let mut event = serde_json::from_str(line).ok()?;
                spell_out(&mut event);
                serde_json::value::to_raw_value(&event)
            }
        };
        raw.ok().map(Self)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn spell_out(value: &mut Value) {
    match value {
        Value::Object(members) if members.keys().all(|name| is_element_name(name)) => {
            members.values_mut().for_each(spell_out);
        }
        Value::Object(_) => *value = Value::String(value.to_string()),
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        _ => {}
    }
}

param! {
    /// The first second of the range. Seven days ago if absent.
    START_TIME: Timestamp = Text "StartTime", "YYYY-MM-DDThh:mm:ssZ, in UTC, not after EndTime; both or neither",
        public => |text| Timestamp::parse(text).ok_or(Invalid::Value);

    /// The last second of the range. Now if absent.
    END_TIME: Timestamp = Text "EndTime", "YYYY-MM-DDThh:mm:ssZ, in UTC; both or neither", public =>
        |text| Timestamp::parse(text).ok_or(Invalid::Value);

    /// What events must have; compared exactly, case matters. Of the same Key twice the second counts.
    LOOKUP_ATTRIBUTE: () = Pairs "LookupAttribute",
        "LookupAttribute.1.Key and LookupAttribute.1.Value, the same with 2; more are ignored; Key is ServiceName, EventName, User, EventId, ResourceType, ResourceName, EventRW, EventAccessKeyId, SourceIpAddress, EventType or RoleName" =>
        |_| Err(Invalid::Value);

    /// BACKWARD gives the newest first, FORWARD the oldest.
    DIRECTION: Direction = Text "Direction", "BACKWARD (default) or FORWARD", public =>
        |text| Direction::from_wire(text).ok_or(Invalid::Value);

    /// Events of a page.
    MAX_RESULTS_PARAM: u32 = Integer "MaxResults",
        text!([limits::LOOKUP_RESULTS] "; 0 and absence stand for " {limits::LOOKUP_RESULTS_DEFAULT}), public =>
        |text| parse_number(text, &limits::LOOKUP_RESULTS);

    /// Goes on after a page.
    NEXT_TOKEN: Token = Text "NextToken", "what the page before gave, with all other parameters as they were there" =>
        |text| Token::parse(text).ok_or(Invalid::Value);
}

fn parse_range(input: Input<'_>) -> Result<Option<(Timestamp, Timestamp)>, Refusal> {
    match (input.optional(&START_TIME)?, input.optional(&END_TIME)?) {
        (Some(from), Some(to)) if from <= to => Ok(Some((from, to))),
        (Some(_), Some(_)) => Err(Refusal::ParameterInvalid("StartTime")),
        (Some(_), None) => Err(Refusal::ParameterMissing("EndTime")),
        (None, Some(_)) => Err(Refusal::ParameterMissing("StartTime")),
        (None, None) => Ok(None),
    }
}

fn parse_max_results(input: Input<'_>) -> Result<u32, Refusal> {
    Ok(input.optional(&MAX_RESULTS_PARAM)?.filter(|count| *count > 0).unwrap_or(limits::LOOKUP_RESULTS_DEFAULT))
}

fn parse_attributes(input: Input<'_>) -> Result<Vec<(Attribute, String)>, Refusal> {
    let invalid = Refusal::ParameterInvalid("LookupAttribute");
    let mut attributes: Vec<(Attribute, String)> = Vec::new();
    for (key, value) in input.pairs(&LOOKUP_ATTRIBUTE)?.into_iter().take(limits::LOOKUP_ATTRIBUTES_MAX) {
        let key = Attribute::from_wire(&key).ok_or(invalid)?;
        if value.is_empty() || value.len() > limits::LOOKUP_VALUE_BYTES_MAX {
            return Err(invalid);
        }
        attributes.retain(|(other, _)| *other != key);
        attributes.push((key, value));
    }
    // Their order says nothing, and so a token does not depend on it.
    attributes.sort();
    Ok(attributes)
}

impl LookupEvents {
    /// A digest of all parameters but the token, and of the account: a token is good for no other look-up.
    pub fn fingerprint(&self, account: &AccountId) -> [u8; Token::FINGERPRINT_BYTES] {
        let mut parts: Vec<Cow<'_, str>> = vec![account.as_str().into(), self.direction.as_str().into()];
        parts.push(self.max_results.to_string().into());
        if let Some((from, to)) = self.range {
            parts.push(format!("{}/{}", from.0, to.0).into());
        }
        for (attribute, value) in &self.attributes {
            parts.extend([attribute.as_str().into(), value.as_str().into()]);
        }
        Token::fingerprint(&parts)
    }
}

impl Action for LookupEvents {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "LookupEvents",
        doc: "Finds recorded calls of the account by time and up to two attributes, in the order of the log; in a cluster, of all nodes' logs, by time. Each event is given exactly as it was recorded; in XML, objects whose members cannot be elements are given as JSON text. How far back it sees depends on how long the operator keeps the log.",
        example: &[
            ("StartTime", "2026-01-01T00:00:00Z"),
            ("EndTime", "2026-01-08T00:00:00Z"),
            ("LookupAttribute.1.Key", "EventName"),
            ("LookupAttribute.1.Value", "Decrypt"),
            ("MaxResults", "50"),
        ],
        ..ActionSpec::read(Group::Trail)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::Service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Params;

    fn parse(query: &str) -> Result<LookupEvents, Refusal> {
        LookupEvents::parse(Input::new(&Params::parse(query, None).unwrap()))
    }

    #[test]
    fn defaults() {
        let lookup = parse("MaxResults=0&Direction=").unwrap();
        assert_eq!((lookup.range, lookup.max_results, lookup.direction), (None, 20, Direction::Backward));
        assert!(lookup.attributes.is_empty() && lookup.next_token.is_none());
        assert_eq!(parse("MaxResults=50&Direction=FORWARD").unwrap().direction, Direction::Forward);
    }

    #[test]
    fn attributes() {
        let of = |query: &str| parse(query).map(|lookup| lookup.attributes);
        let pair = |n: u32, key: &str, value: &str| {
            format!("LookupAttribute.{n}.Key={key}&LookupAttribute.{n}.Value={value}&")
        };
        let [user, name, write] = [pair(1, "User", "a"), pair(2, "EventName", "b"), pair(3, "EventRW", "Write")];
        let two = vec![(Attribute::EventName, "b".into()), (Attribute::User, "a".into())];
        assert_eq!(of(&format!("{user}{name}")), Ok(two.clone()));
        assert_eq!(of(&format!("{user}{name}{write}")), Ok(two));
        assert_eq!(of(&format!("{user}{}", pair(2, "User", "c"))), Ok(vec![(Attribute::User, "c".into())]));
        let invalid = Err(Refusal::ParameterInvalid("LookupAttribute"));
        for bad in [
            pair(1, "Nothing", "a"),
            pair(1, "user", "a"),
            pair(1, "User", ""),
            pair(1, "User", &"x".repeat(limits::LOOKUP_VALUE_BYTES_MAX + 1)),
            "LookupAttribute.1.Value=a".into(),
            "LookupAttribute=a".into(),
        ] {
            assert_eq!(of(&bad), invalid, "{bad}");
        }
        for &attribute in Attribute::ALL {
            assert_eq!(Attribute::from_wire(attribute.as_str()), Some(attribute));
        }
    }

    #[test]
    fn ranges() {
        let (start, end) = ("StartTime=2026-01-01T00:00:00Z", "EndTime=2026-01-01T00:00:01Z");
        let both = parse(&format!("{start}&{end}")).unwrap().range.unwrap();
        assert_eq!(both.1.0 - both.0.0, 1);
        assert_eq!(parse(start).err(), Some(Refusal::ParameterMissing("EndTime")));
        assert_eq!(parse(end).err(), Some(Refusal::ParameterMissing("StartTime")));
        let turned = parse(&format!("{start}&EndTime=2025-12-31T23:59:59Z"));
        assert_eq!(turned.err(), Some(Refusal::ParameterInvalid("StartTime")));
        assert_eq!(parse("StartTime=2026-01-01&EndTime=x").err(), Some(Refusal::ParameterInvalid("StartTime")));
        for bad in ["MaxResults=51", "MaxResults=-1", "MaxResults=x", "Direction=backward", "NextToken=x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_fingerprint_is_of_everything() {
        let account = AccountId::new("1234567890123456").unwrap();
        let of = |query: &str| parse(query).unwrap().fingerprint(&account);
        let user = "LookupAttribute.1.Key=User&LookupAttribute.1.Value=a";
        let queries = [
            String::new(),
            "Direction=FORWARD".into(),
            "MaxResults=21".into(),
            "StartTime=2026-01-01T00:00:00Z&EndTime=2026-01-01T00:00:01Z".into(),
            "StartTime=2026-01-01T00:00:00Z&EndTime=2026-01-01T00:00:02Z".into(),
            user.into(),
            user.replace("=a", "=b"),
            user.replace("=User", "=EventName"),
            format!("{user}&LookupAttribute.2.Key=EventRW&LookupAttribute.2.Value=Read"),
        ];
        let prints: std::collections::BTreeSet<_> = queries.iter().map(|query| of(query)).collect();
        assert_eq!(prints.len(), queries.len());
        assert_eq!(of(""), of("MaxResults=20&Direction=BACKWARD"), "what is left out is what is the default");
        let other = AccountId::new("1234567890123457").unwrap();
        assert_ne!(of(""), parse("").unwrap().fingerprint(&other));
    }

    #[test]
    fn events_keep_their_bytes() {
        let line = r#"{ "b":1,"a":{"ACS::KMS::Key":["k"]},"c":[{"x y":"z"}],"d":{"e":"f"}}"#;
        let json = serde_json::to_string(&Event::new(line, Format::Json).unwrap()).unwrap();
        assert_eq!(json, line);
        let xml = crate::wire::render::success(
            Format::Xml,
            |out| {
                serde_json::to_writer(
                    out,
                    &serde_json::json!({"Events": [serde_json::to_value(Event::new(line, Format::Xml).unwrap()).unwrap()]}),
                )
            },
            "id",
            "Trail",
        );
        assert_eq!(
            String::from_utf8(xml.unwrap()).unwrap(),
            "<Trail><Events><a>{&quot;ACS::KMS::Key&quot;:[&quot;k&quot;]}</a><b>1</b>\
             <c>{&quot;x y&quot;:&quot;z&quot;}</c><d><e>f</e></d></Events><RequestId>id</RequestId></Trail>"
        );
        assert!(Event::new("{", Format::Json).is_none() && Event::new("{", Format::Xml).is_none());
    }
}

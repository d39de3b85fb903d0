//! How results are shown: for people as tables, for programs as JSON, one member, or what a query makes of them.

use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use crate::{
    args::{OutputForm, Show},
    names,
    output::{self, Failure},
};

const HEAD: Style = Style::new().bold();

/// Shows one result: for people its members, a line each.
pub fn answer(show: &Show, answer: &Value) -> Result<(), Failure> {
    match selected(show, answer)? {
        Selected::Texts(texts) => texts.iter().try_for_each(|text| output::line(text)),
        Selected::Json(value) => json(&value),
        Selected::All => output::write_out(laid_out(&members(answer), &mut Vec::new()).as_bytes()),
    }
}

/// Shows the answer of an action as the API gave it.
pub fn raw(show: &Show, given: &Value) -> Result<(), Failure> {
    match selected(show, given)? {
        Selected::All if show.output.is_none() => json(given),
        _ => answer(show, given),
    }
}

/// Shows many results of a kind: for people a table of some members, for programs an array of all.
pub fn list(show: &Show, head: &[&str], columns: &[&str], rows: Vec<Value>) -> Result<(), Failure> {
    if is_for_people(show) {
        let mut table = Table::new(head);
        return table.rows(rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()));
    }
    answer(show, &Value::Array(rows))
}

/// Shows a result that has a text for people.
pub fn told(show: &Show, result: &Value, text: &str) -> Result<(), Failure> {
    if is_for_people(show) { output::line(text) } else { answer(show, result) }
}

/// Shows one of a stream of results: for programs as one line.
pub fn event(show: &Show, event: &Value) -> Result<(), Failure> {
    match selected(show, event)? {
        Selected::Texts(texts) => texts.iter().try_for_each(|text| output::line(text)),
        Selected::Json(value) => output::line(&value.to_string()),
        Selected::All => output::line(&event.to_string()),
    }
}

/// Whether nothing was asked for but what people read.
pub fn is_for_people(show: &Show) -> bool {
    show.field.is_none() && show.query.is_none() && show.output != Some(OutputForm::Json)
}

enum Selected {
    /// Plain values, a line each.
    Texts(Vec<String>),
    Json(Value),
    All,
}

fn selected(show: &Show, answer: &Value) -> Result<Selected, Failure> {
    let chosen = match (&show.field, &show.query) {
        (Some(name), _) => Value::Array(field(answer, name)?),
        (None, Some(query)) => asked(query, answer)?,
        (None, None) if show.output == Some(OutputForm::Json) => return Ok(Selected::Json(answer.clone())),
        (None, None) => return Ok(Selected::All),
    };
    if show.output == Some(OutputForm::Json) {
        return Ok(Selected::Json(chosen));
    }
    Ok(match texts(&chosen) {
        Some(texts) => Selected::Texts(texts),
        None => Selected::Json(chosen),
    })
}

/// A value, or a list of values, without JSON around; none if there is structure in it.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(text).collect(),
        other => Some(vec![text(other)?]),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if std::io::stdout().is_terminal() => Some(output::harmless(text)),
        Value::String(text) => Some(text.clone()),
        Value::Object(_) | Value::Array(_) => None,
        other => Some(other.to_string()),
    }
}

/// The members with a name, wherever they stand: `KeyId`, or with some of what is around, `KeyMetadata.KeyId`.
fn field(answer: &Value, name: &str) -> Result<Vec<Value>, Failure> {
    let parts: Vec<&str> = name.split('.').collect();
    let mut found = Vec::new();
    find(answer, &parts, &mut found);
    if found.is_empty() && answer.as_array().is_none_or(|rows| !rows.is_empty()) {
        let mut known = Vec::new();
        member_names(answer, &mut known);
        let meant = names::nearest(name, known.iter().copied());
        let hint = meant.map_or_else(|| known.join(", "), |meant| format!("is {meant} meant?"));
        return Err(Failure::Local(format!("the result has no member {name:?}: {hint}")));
    }
    Ok(found)
}

fn find(value: &Value, parts: &[&str], found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| find(item, parts, found)),
        Value::Object(members) => {
            match parts.split_first().and_then(|(first, rest)| Some((members.get(*first)?, rest))) {
                Some((member, rest)) => collect(member, rest, found),
                None => members.values().for_each(|member| find(member, parts, found)),
            }
        }
        _ => {}
    }
}

fn collect(value: &Value, rest: &[&str], found: &mut Vec<Value>) {
    match (value, rest.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, rest, found)),
        (value, None) => found.push(value.clone()),
        (Value::Object(members), Some((first, rest))) => {
            if let Some(member) = members.get(*first) {
                collect(member, rest, found);
            }
        }
        _ => {}
    }
}

fn member_names<'v>(value: &'v Value, known: &mut Vec<&'v str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| member_names(item, known)),
        Value::Object(members) => {
            for (name, member) in members {
                if !known.contains(&name.as_str()) {
                    known.push(name);
                }
                member_names(member, known);
            }
        }
        _ => {}
    }
}

fn asked(query: &str, answer: &Value) -> Result<Value, Failure> {
    let expression = jmespath::compile(query).map_err(|error| {
        Failure::Usage(format!("--query: {}", error.to_string().lines().next().unwrap_or_default()))
    })?;
    let failed = |error: String| Failure::Local(format!("--query: {error}"));
    let data = jmespath::Variable::from_json(&answer.to_string()).map_err(failed)?;
    let result = expression.search(data).map_err(|error| failed(error.to_string()))?;
    serde_json::to_value(&*result).map_err(|error| failed(error.to_string()))
}

fn json(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Local(error.to_string()))?;
    output::line(&text)
}

/// A result as rows of name and value. A name that is the only one of its kind stands without what is around it.
fn members(answer: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    flatten("", answer, &mut rows);
    let short = |name: &str| name.rsplit_once('.').map(|(_, last)| last.to_owned());
    let lasts: Vec<Option<String>> = rows.iter().map(|(name, _)| short(name)).collect();
    let last = |name: &String| short(name).unwrap_or_else(|| name.clone());
    let count = |wanted: &str| rows.iter().filter(|(name, _)| last(name) == wanted).count();
    rows.iter()
        .zip(lasts)
        .map(|((name, value), last)| {
            let shown = last.filter(|last| last.parse::<usize>().is_err() && count(last) == 1);
            vec![shown.unwrap_or_else(|| name.clone()), value.clone()]
        })
        .collect()
}

/// A nested result as (dotted name, value).
fn flatten(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let join = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(part, value)| flatten(&join(part), value, rows)),
        Value::Array(items) => match texts(value) {
            Some(texts) => rows.push((name.to_owned(), texts.join(", "))),
            None => items
                .iter()
                .enumerate()
                .for_each(|(index, value)| flatten(&join(&(index + 1).to_string()), value, rows)),
        },
        Value::String(text) => rows.push((name.to_owned(), text.clone())),
        other => rows.push((name.to_owned(), other.to_string())),
    }
}

fn cell(row: &Value, column: &str) -> String {
    match row.get(column) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A table whose rows come bit by bit; its columns only grow.
pub struct Table {
    head: Option<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    pub fn new(head: &[&str]) -> Self {
        Self { head: Some(head.iter().map(|&cell| cell.to_owned()).collect()), widths: Vec::new() }
    }

    /// As [`Table::new`], with columns that are this wide from the start, for rows that come one by one.
    pub fn with_widths(head: &[&str], widths: &[usize]) -> Self {
        Self { widths: widths.to_vec(), ..Self::new(head) }
    }

    pub fn rows(&mut self, rows: impl Iterator<Item = Vec<String>>) -> Result<(), Failure> {
        let head = self.head.take();
        let is_headed = head.is_some();
        let all: Vec<Vec<String>> = head.into_iter().chain(rows).collect();
        let text = laid_out(&all, &mut self.widths);
        let text = if is_headed && is_coloured() { in_colours(&text) } else { text };
        output::write_out(text.as_bytes())
    }
}

/// Columns, aligned; `widths` are those of rows before.
fn laid_out(rows: &[Vec<String>], widths: &mut Vec<usize>) -> String {
    let all: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| output::harmless(cell)).collect()).collect();
    let columns = all.iter().map(Vec::len).max().unwrap_or(0);
    widths.resize(columns.max(widths.len()), 0);
    for row in &all {
        for (cell, width) in row.iter().zip(widths.iter_mut()) {
            *width = cell.width().max(*width);
        }
    }
    let mut text = String::new();
    for row in &all {
        let mut cells = row.iter().zip(&*widths).peekable();
        while let Some((cell, width)) = cells.next() {
            text.push_str(cell);
            if cells.peek().is_some() {
                text.extend(std::iter::repeat_n(' ', width + 2 - cell.width()));
            }
        }
        text.push('\n');
    }
    text
}

fn is_coloured() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// States that call for attention, and the colour of it.
const STATES: [(&str, AnsiColor); 4] = [
    ("Enabled", AnsiColor::Green),
    ("Disabled", AnsiColor::Yellow),
    ("PendingImport", AnsiColor::Yellow),
    ("PendingDeletion", AnsiColor::Red),
];

/// A bold head, and states in their colours.
fn in_colours(text: &str) -> String {
    let (head, body) = text.split_once('\n').unwrap_or((text, ""));
    let mut shown = format!("{HEAD}{head}{HEAD:#}\n{body}");
    for (state, colour) in STATES {
        let style = colour.on_default();
        shown = shown.replace(&format!("  {state} "), &format!("  {style}{state}{style:#} "));
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(cells: [&str; 2]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn what_others_wrote_stays_in_its_cell() {
        // A character of Chinese or Japanese is two columns wide.
        let wide = [row(["鍵", "x"]), row(["key", "y"])];
        assert_eq!(laid_out(&wide, &mut Vec::new()), "鍵   x\nkey  y\n");
        let rows = [
            row(["KEY", "DESCRIPTION"]),
            row(["k1", "張 \u{1b}[31mred\nk9  Enabled\u{9b}2J\t\u{7f}"]),
            row(["key-2", ""]),
        ];
        assert_eq!(
            laid_out(&rows, &mut Vec::new()),
            "KEY    DESCRIPTION\nk1     張 \\u{1b}[31mred\\nk9  Enabled\\u{9b}2J\\t\\u{7f}\nkey-2  \n"
        );
        // A table that goes on keeps its columns.
        let mut widths = vec![6];
        assert_eq!(laid_out(&[row(["a", "b"])], &mut widths), "a       b\n");
    }

    #[test]
    fn members_by_name() {
        let answer = json!({"KeyMetadata": {"KeyId": "k", "Arn": "acs:k"}, "Aliases": ["a", "b"], "RequestId": "r"});
        let found = |name: &str| field(&answer, name).ok();
        assert_eq!(found("KeyId"), Some(vec![json!("k")]));
        assert_eq!(found("KeyMetadata.KeyId"), found("KeyId"));
        assert_eq!(found("Aliases"), Some(vec![json!("a"), json!("b")]));
        assert!(matches!(field(&answer, "KeyIdd"), Err(Failure::Local(text)) if text.contains("is KeyId meant?")));
        assert!(found("KeyMetadata.Nothing").is_none());
        let rows = json!([{"KeyId": "1"}, {"KeyId": "2"}]);
        assert_eq!(field(&rows, "KeyId").ok(), Some(vec![json!("1"), json!("2")]));
        assert_eq!(field(&json!([]), "KeyId").ok(), Some(vec![]), "an empty list has no members, which is no mistake");
        let shown: Vec<String> = members(&answer).into_iter().map(|row| row.join("=")).collect();
        assert_eq!(shown, ["Aliases=a, b", "Arn=acs:k", "KeyId=k", "RequestId=r"]);
    }

    #[test]
    fn queries() {
        let rows = json!([{"KeyId": "1", "KeyState": "Enabled"}, {"KeyId": "2", "KeyState": "Disabled"}]);
        let asked = |query: &str| asked(query, &rows).ok();
        assert_eq!(asked("[?KeyState=='Disabled'].KeyId"), Some(json!(["2"])));
        assert_eq!(asked("length(@)"), Some(json!(2)));
        assert_eq!(asked("[0].Nothing"), Some(Value::Null));
        assert!(asked("[?").is_none() && asked("abs('x')").is_none());
        assert_eq!(texts(&json!(["a", 1])), Some(vec!["a".to_owned(), "1".to_owned()]));
        assert_eq!(texts(&json!([{}])), None);
    }

    #[test]
    fn colours_change_no_letter() {
        let text = "KEY  STATE    CREATED\nk    Enabled  now\n";
        let shown = in_colours(text);
        assert_ne!(shown, text);
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), text);
    }
}

//! From text to [`Policy`].

use super::{
    Actions, Condition, ConditionKey, Effect, Form, Malformed, Operator, Pattern, Policy, PrincipalPattern,
    SID_CHARS_MAX, STATEMENTS_MAX, Statement,
    json::{self, Node},
    known,
};

const TWICE: &str = "it is given twice";
const ABSENT: &str = "it is missing";
const UNKNOWN: &str = "it is not known";

/// An element and what is wrong with it.
type Wrong = (&'static str, &'static str);
type Members<'n> = &'n [(String, Node)];

/// Reads a policy document. Refuses whatever it does not know or can never match, and says where.
pub fn parse(text: &str, form: Form) -> Result<Policy, Malformed> {
    let whole = |(element, reason): Wrong| Malformed { statement: 0, element, reason };
    if text.len() > form.bytes_max() {
        return Err(whole(("Policy", "it is too long")));
    }
    if text.starts_with('\u{feff}') {
        return Err(whole(("Policy", "it starts with a byte order mark, which is no JSON")));
    }
    let Some(Node::Object(members)) = json::read(text) else {
        return Err(whole(("Policy", "it is not a JSON object")));
    };
    let mut statements = None;
    let mut version = None;
    for (name, value) in &members {
        match name.as_str() {
            "Version" => once(&mut version, value, "Version").map_err(whole)?,
            "Statement" => once(&mut statements, value, "Statement").map_err(whole)?,
            _ => return Err(whole(("member", UNKNOWN))),
        }
    }
    match version {
        Some(Node::Text(version)) if version == "1" => {}
        Some(_) => return Err(whole(("Version", "it is not the text 1"))),
        None => return Err(whole(("Version", ABSENT))),
    }
    let statements = match statements {
        Some(Node::List(list)) if list.is_empty() => return Err(whole(("Statement", "there is none"))),
        Some(Node::List(list)) if list.len() > STATEMENTS_MAX => {
            return Err(whole(("Statement", "there are more than 100")));
        }
        Some(Node::List(list)) => list,
        Some(_) => return Err(whole(("Statement", "it is not a list"))),
        None => return Err(whole(("Statement", ABSENT))),
    };
    let statements = (1..).zip(statements).map(|(number, node)| {
        let place = |(element, reason): Wrong| Malformed { statement: number, element, reason };
        statement(node, form).map_err(place)
    });
    Ok(Policy { form, statements: statements.collect::<Result<_, _>>()? })
}

fn once<'n>(place: &mut Option<&'n Node>, value: &'n Node, element: &'static str) -> Result<(), Wrong> {
    if place.replace(value).is_some() { Err((element, TWICE)) } else { Ok(()) }
}

fn statement(node: &Node, form: Form) -> Result<Statement, Wrong> {
    let Node::Object(members) = node else { return Err(("Statement", "it is not an object")) };
    let [mut sid, mut effect, mut these, mut all_but, mut resource, mut principal, mut condition] = [None; 7];
    for (name, value) in members {
        match name.as_str() {
            "Sid" => once(&mut sid, value, "Sid"),
            "Effect" => once(&mut effect, value, "Effect"),
            "Action" => once(&mut these, value, "Action"),
            "NotAction" => once(&mut all_but, value, "NotAction"),
            "Resource" => once(&mut resource, value, "Resource"),
            "Principal" => once(&mut principal, value, "Principal"),
            "Condition" => once(&mut condition, value, "Condition"),
            _ => Err(("member", UNKNOWN)),
        }?;
    }
    let effect = match effect {
        Some(Node::Text(text)) if text == "Allow" => Effect::Allow,
        Some(Node::Text(text)) if text == "Deny" => Effect::Deny,
        Some(_) => return Err(("Effect", "it is neither Allow nor Deny")),
        None => return Err(("Effect", ABSENT)),
    };
    let statement = Statement {
        sid: sid.map(read_sid).transpose()?,
        effect,
        actions: read_actions(these, all_but, form)?,
        resources: read_resources(resource, form)?,
        principals: read_principals(principal, form)?,
        conditions: condition.map_or(Ok(Vec::new()), read_conditions)?,
    };
    if never_denies(&statement) {
        return Err(("Condition", "no request here has the key, so that the statement would never deny"));
    }
    Ok(statement)
}

/// Whether a Deny that is about requests of ours waits for a value that none of them has. A negated operator is met
/// without it, and denies.
fn never_denies(statement: &Statement) -> bool {
    let waits = |condition: &Condition| !condition.operator.negated && condition.key.is_absent();
    statement.effect == Effect::Deny
        && statement.conditions.iter().any(waits)
        && known::may_be_ours(&statement.actions, &statement.resources)
}

fn read_sid(node: &Node) -> Result<Box<str>, Wrong> {
    match node {
        Node::Text(sid)
            if sid.len() <= SID_CHARS_MAX
                && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/+=.@- ".contains(&byte)) =>
        {
            Ok(sid.as_str().into())
        }
        _ => Err(("Sid", "it is not a text of at most 128 letters, digits, blanks and _/+=.@-")),
    }
}

/// One text, or a list of at least one.
fn texts<'n>(node: &'n Node, element: &'static str) -> Result<Vec<&'n String>, Wrong> {
    const NEITHER: &str = "it is neither a text nor a list of texts";
    match node {
        Node::Text(text) => Ok(vec![text]),
        Node::List(items) if items.is_empty() => Err((element, "the list is empty")),
        Node::List(items) => {
            let text = |item: &'n Node| if let Node::Text(text) = item { Ok(text) } else { Err((element, NEITHER)) };
            items.iter().map(text).collect()
        }
        Node::Object(_) | Node::Other => Err((element, NEITHER)),
    }
}

fn read_actions(these: Option<&Node>, all_but: Option<&Node>, form: Form) -> Result<Actions, Wrong> {
    let patterns = |node: &Node, element: &'static str| {
        let wrong = match form {
            Form::Identity | Form::Session => "an action is neither * nor <service>:<name>",
            Form::Key => "an action is not kms:<name>",
            Form::Trust => "an action is neither sts:AssumeRole nor sts:AssumeRoleWithOIDC",
        };
        let pattern = |text: &String| match known::wrong_action(text) {
            _ if !is_action(text, form) => Err((element, wrong)),
            Some(unknown) => Err((element, unknown)),
            _ => Ok(Pattern::new(text)),
        };
        texts(node, element)?.into_iter().map(pattern).collect::<Result<Vec<_>, _>>()
    };
    match (these, all_but) {
        (Some(_), Some(_)) => Err(("NotAction", "it stands beside Action")),
        (Some(node), None) => patterns(node, "Action").map(Actions::These),
        (None, Some(_)) if form.has_principals() => Err(("NotAction", "this kind of policy has none")),
        (None, Some(node)) => patterns(node, "NotAction").map(Actions::AllBut),
        (None, None) => Err(("Action", ABSENT)),
    }
}

fn is_action(text: &str, form: Form) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*?-_".contains(&byte))
    };
    match form {
        Form::Identity | Form::Session => {
            text == "*" || text.split_once(':').is_some_and(|(service, name)| is_part(service) && is_part(name))
        }
        Form::Key => {
            text.split_once(':').is_some_and(|(service, name)| service.eq_ignore_ascii_case("kms") && is_part(name))
        }
        Form::Trust => TRUST_ACTIONS.iter().any(|action| text.eq_ignore_ascii_case(action)),
    }
}

const TRUST_ACTIONS: [&str; 2] = ["sts:AssumeRole", "sts:AssumeRoleWithOIDC"];

fn read_resources(node: Option<&Node>, form: Form) -> Result<Vec<Pattern>, Wrong> {
    let (fits, wrong): (fn(&str) -> bool, _) = match (form, node) {
        (Form::Trust, None) => return Ok(Vec::new()),
        (Form::Trust, Some(_)) => return Err(("Resource", "this kind of policy has none")),
        (Form::Key, _) => (|text| text == "*", "it is not *"),
        (Form::Identity | Form::Session, _) => {
            (is_resource, "a resource is neither * nor acs:<service>:<region>:<account>:<name>")
        }
    };
    let pattern = |text: &String| match known::wrong_resource(text) {
        _ if !fits(text) => Err(("Resource", wrong)),
        Some(unknown) => Err(("Resource", unknown)),
        _ => Ok(Pattern::new(text)),
    };
    texts(node.ok_or(("Resource", ABSENT))?, "Resource")?.into_iter().map(pattern).collect()
}

/// A variable (`${…}`) would be taken for itself and match nothing: a Deny would not deny.
fn is_resource(text: &str) -> bool {
    let mut parts = text.splitn(5, ':');
    text == "*"
        || (matches!(parts.next(), Some("acs" | "*"))
            && parts.next().is_some_and(|service| !service.is_empty())
            && parts.nth(2).is_some_and(|name| !name.is_empty())
            && !text.contains("${")
            && !text.chars().any(char::is_control))
}

fn read_principals(node: Option<&Node>, form: Form) -> Result<Vec<PrincipalPattern>, Wrong> {
    let members: Members<'_> = match node {
        None if form.has_principals() => return Err(("Principal", ABSENT)),
        None => return Ok(Vec::new()),
        Some(_) if !form.has_principals() => return Err(("Principal", "this kind of policy has none")),
        Some(Node::Object(members)) => members,
        Some(_) => return Err(("Principal", "it is not an object")),
    };
    let mut principals = Vec::new();
    for (at, (kind, node)) in members.iter().enumerate() {
        if members.iter().take(at).any(|(earlier, _)| earlier == kind) {
            return Err(("Principal", TWICE));
        }
        let (read, wrong): (fn(&str) -> Option<PrincipalPattern>, _) = match (kind.as_str(), form) {
            ("RAM", _) => (
                PrincipalPattern::ram,
                "RAM: a value is none of acs:ram::<account>:root, acs:ram::<account>:*, acs:ram::<account>:user/<name> \
                 and acs:ram::<account>:role/<name>",
            ),
            ("Federated", Form::Trust) => {
                (PrincipalPattern::federated, "Federated: a value is not acs:ram::<account>:oidc-provider/<name>")
            }
            ("Service", Form::Trust) => (PrincipalPattern::service, "Service: a value is not the name of a service"),
            _ => return Err(("Principal", "a kind of principal is not known")),
        };
        for text in texts(node, "Principal")? {
            principals.push(read(text).ok_or(("Principal", wrong))?);
        }
    }
    if principals.is_empty() { Err(("Principal", "there is none")) } else { Ok(principals) }
}

fn read_conditions(node: &Node) -> Result<Vec<Condition>, Wrong> {
    const ELEMENT: &str = "Condition";
    let wrong = |reason: &'static str| (ELEMENT, reason);
    let Node::Object(operators) = node else { return Err(wrong("it is not an object")) };
    let mut conditions: Vec<Condition> = Vec::new();
    for (at, (name, node)) in operators.iter().enumerate() {
        let operator = Operator::named(name).ok_or(wrong("the operator is not known"))?;
        if operators.iter().take(at).any(|(earlier, _)| earlier == name) {
            return Err(wrong("an operator is given twice"));
        }
        let Node::Object(keys) = node else { return Err(wrong("what stands under an operator is not an object")) };
        if keys.is_empty() {
            return Err(wrong("no key stands under an operator"));
        }
        for (name, node) in keys {
            let key = ConditionKey::named(name).ok_or(wrong("the key is not known"))?;
            if !operator.fits(&key) {
                return Err(wrong("the operator cannot compare values of this key"));
            }
            if conditions.iter().any(|earlier| earlier.operator == operator && earlier.key == key) {
                return Err(wrong("a key is given twice"));
            }
            let values: Vec<String> = texts(node, ELEMENT)?.into_iter().cloned().collect();
            conditions.push(Condition { operator, key, values: operator.read(&values).map_err(wrong)? });
        }
    }
    Ok(conditions)
}

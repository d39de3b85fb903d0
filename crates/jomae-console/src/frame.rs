//! What all pages have: head, navigation, the calls that were made, and the parts of forms.

use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, html};

use crate::{Lang, MadeCall, Texts};

/// What is around a page.
pub struct Frame<'a> {
    pub texts: &'static Texts,
    /// Who has signed in.
    pub visitor: Option<Visitor<'a>>,
    /// Path and query of this page, where a change of the language comes back to.
    pub path: &'a str,
    /// What the page has asked the API.
    pub calls: &'a [MadeCall],
    /// The id of a text that says what was just done.
    pub done: Option<&'a str>,
    /// What was not done, and why.
    pub refusal: Option<&'a Refusal>,
}

/// Whoever looks at the page.
#[derive(Clone, Copy)]
pub struct Visitor<'a> {
    pub account: &'a str,
    /// `root`, or a user's name.
    pub name: &'a str,
    /// What every form of the session sends along.
    pub form_token: &'a str,
}

/// What the API has refused.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    pub code: String,
    /// In the words of the API.
    pub message: String,
    pub request_id: String,
    /// The permission that was missing, if one was.
    pub permission: Option<String>,
    /// Whether a policy denies it, rather than none allowing it.
    pub is_explicit: bool,
}

/// What a person has typed, kept where an answer is a refusal.
#[derive(Clone, Debug, Default)]
pub struct Typed(pub Vec<(String, String)>);

impl Typed {
    /// A value; empty if nothing was typed there.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// The parts of the navigation: path, text.
const NAVIGATION: [(&str, &str); 5] = [
    ("/", "nav-overview"),
    ("/keys", "nav-keys"),
    ("/people", "nav-people"),
    ("/audit", "nav-audit"),
    ("/sessions", "nav-sessions"),
];

/// Where the pages about people and their rights are.
const PEOPLE: [&str; 6] = ["/people", "/groups", "/roles", "/policies", "/simulate", "/replay"];

impl Frame<'_> {
    /// A text of the catalogue.
    pub fn t(&self, id: &str) -> String {
        self.texts.get(id)
    }

    /// A text with values in it.
    pub fn t_with(&self, id: &str, values: &[(&str, &str)]) -> String {
        self.texts.with(id, values)
    }

    /// A whole page.
    pub fn page(&self, title: &str, content: &Markup) -> String {
        let lang = self.texts.lang();
        html! {
            (DOCTYPE)
            html lang=(lang.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " – " (self.t("product")) }
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/console.css";
                    script src="/assets/console.js" defer {}
                }
                body data-copy=(self.t("copy")) data-copied=(self.t("copied")) data-local=(self.t("time-local")) {
                    a.skip href="#content" { (self.t("skip")) }
                    header {
                        p.brand { a href="/" { (self.t("product")) } }
                        (self.navigation())
                        (self.languages(lang))
                        (self.account())
                    }
                    main id="content" tabindex="-1" {
                        (self.notices())
                        h1 { (title) }
                        (content)
                        (self.made_calls())
                    }
                    footer { p { (self.t("footer")) } }
                }
            }
        }
        .into_string()
    }

    fn navigation(&self) -> Markup {
        let here = self.path.split('?').next().unwrap_or_default();
        let is_here = |path: &str| match path {
            "/" => here == "/",
            "/people" => PEOPLE.iter().any(|path| here.starts_with(path)),
            _ => here.starts_with(path),
        };
        html! {
            @if self.visitor.is_some() {
                nav aria-label=(self.t("nav-label")) {
                    ul {
                        @for (path, text) in NAVIGATION {
                            li { a href=(path) aria-current=[is_here(path).then_some("page")] { (self.t(text)) } }
                        }
                    }
                }
            }
        }
    }

    fn languages(&self, chosen: Lang) -> Markup {
        html! {
            nav.languages aria-label=(self.t("language")) {
                ul {
                    @for lang in Lang::ALL {
                        li {
                            a href={ "/language/" (lang.tag()) "?back=" (percent(self.path)) } lang=(lang.tag())
                                hreflang=(lang.tag()) translate="no"
                                aria-current=[(lang == chosen).then_some("true")] { (lang.own_name()) }
                        }
                    }
                }
            }
        }
    }

    fn account(&self) -> Markup {
        html! {
            @if let Some(visitor) = self.visitor {
                div.account {
                    p { (self.t("signed-in-as")) " "
                        a href="/me" translate="no" { b { (visitor.name) } } " "
                        span translate="no" { (visitor.account) } }
                    (self.form("/sign-out", "", &html! { button.quiet type="submit" { (self.t("sign-out")) } }))
                }
            }
        }
    }

    fn notices(&self) -> Markup {
        html! {
            @if let Some(done) = self.done {
                p.done role="status" { (self.t(done)) }
            }
            @if let Some(refusal) = self.refusal {
                section.refused role="alert" aria-label=(self.t("refused")) {
                    p { strong { (self.t("refused")) } " " (self.why(refusal)) }
                    p { (self.t("refused-kept")) }
                    dl {
                        dt { (self.t("refused-code")) } dd { code { (refusal.code) } }
                        dt { (self.t("refused-words")) } dd lang="en" translate="no" { (refusal.message) }
                        dt { (self.t("request-id")) } dd { code { (refusal.request_id) } }
                    }
                }
            }
        }
    }

    /// Why something was refused, in the reader's language.
    pub(crate) fn why(&self, refusal: &Refusal) -> String {
        if let Some(permission) = &refusal.permission {
            let id = if refusal.is_explicit { "why-denied" } else { "why-not-allowed" };
            return self.t_with(id, &[("permission", permission)]);
        }
        let own = format!("error-{}", refusal.code.replace('.', "-"));
        if self.texts.has(&own) { self.t(&own) } else { self.t("why-other") }
    }

    fn made_calls(&self) -> Markup {
        html! {
            @if !self.calls.is_empty() {
                details.calls {
                    summary { (self.t("calls")) }
                    p { (self.t("calls-about")) }
                    @for call in self.calls {
                        section aria-label=(call.action) {
                            h2 translate="no" { code { (call.action) } }
                            h3 { (self.t("calls-cli")) }
                            (code_block(&call.cli()))
                            h3 { (self.t("calls-python")) }
                            (code_block(&call.python()))
                            h3 { (self.t("calls-terraform")) }
                            @match call.terraform() {
                                Some(text) => { (code_block(&text)) }
                                None => { p { (self.t("calls-no-terraform")) } }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A form that posts, with the token that shows that it is one of ours.
    pub fn form(&self, action: &str, class: &str, content: &Markup) -> Markup {
        html! {
            form method="post" action=(action) class=[(!class.is_empty()).then_some(class)] {
                @if let Some(visitor) = self.visitor {
                    input type="hidden" name="form_token" value=(visitor.form_token);
                }
                (content)
            }
        }
    }

    /// A line to type in. `hint` may be empty.
    pub fn input(&self, name: &str, label: &str, hint: &str, value: &str, required: bool) -> Markup {
        let hint_id = format!("{name}-hint");
        html! {
            div.field {
                label for=(name) { (self.t(label)) }
                @if !hint.is_empty() { p.hint id=(hint_id) { (self.t(hint)) } }
                input id=(name) name=(name) value=(value) required[required] autocomplete="off" spellcheck="false"
                    aria-describedby=[(!hint.is_empty()).then_some(&hint_id)];
            }
        }
    }

    /// Some lines to type in.
    pub fn area(&self, name: &str, label: &str, hint: &str, value: &str) -> Markup {
        let hint_id = format!("{name}-hint");
        html! {
            div.field {
                label for=(name) { (self.t(label)) }
                @if !hint.is_empty() { p.hint id=(hint_id) { (self.t(hint)) } }
                // The first newline after the tag is not part of the value.
                textarea id=(name) name=(name) rows="4" required autocomplete="off" spellcheck="false"
                    aria-describedby=[(!hint.is_empty()).then_some(&hint_id)] { "\n" (value) }
            }
        }
    }

    /// A choice among values, each with the text that is shown.
    pub fn select(&self, name: &str, label: &str, options: &[(&str, String)], chosen: &str) -> Markup {
        html! {
            div.field {
                label for=(name) { (self.t(label)) }
                select id=(name) name=(name) {
                    @for (value, text) in options {
                        option value=(value) selected[*value == chosen] { (text) }
                    }
                }
            }
        }
    }

    /// The encryption context: one pair.
    pub fn context(&self, typed: &Typed, prefix: &str) -> Markup {
        let (name, value) = (format!("{prefix}_name"), format!("{prefix}_value"));
        html! {
            fieldset {
                legend { (self.t("context")) }
                p.hint { (self.t("context-about")) }
                div.pair {
                    (self.input(&name, "context-name", "", typed.get(&name), false))
                    (self.input(&value, "context-value", "", typed.get(&value), false))
                }
            }
        }
    }

    /// A table with a name that can be scrolled by keyboard where it is wider than the screen.
    pub fn table(&self, name: &str, heads: &[&str], rows: &[Vec<Markup>]) -> Markup {
        html! {
            div.table role="region" aria-label=(self.t(name)) tabindex="0" {
                table {
                    thead { tr { @for head in heads { th scope="col" { (self.t(head)) } } } }
                    tbody {
                        @for row in rows { tr { @for cell in row { td { (cell) } } } }
                    }
                }
            }
        }
    }

    /// A state of a key, in words.
    pub fn state(&self, state: &str) -> Markup {
        let id = match state {
            "Enabled" => "state-enabled",
            "Disabled" => "state-disabled",
            "PendingDeletion" => "state-pending-deletion",
            "PendingImport" => "state-pending-import",
            _ => return html! { code { (state) } },
        };
        html! { span class={ "state " (id) } { (self.t(id)) } }
    }
}

/// What may be long and is there to be copied.
pub fn code_block(text: &str) -> Markup {
    html! { pre.copy translate="no" tabindex="0" { code { (text) } } }
}

/// A time in UTC; the script puts the reader's own beside it.
pub fn time(wire: &str) -> Markup {
    let shown = wire.replace('T', " ").replace('Z', " UTC");
    html! { @if !wire.is_empty() { time datetime=(wire) translate="no" { (shown) } } }
}

/// A text as a part of a URL.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

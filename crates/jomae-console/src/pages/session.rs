//! Sessions, and what is not there.

use maud::{DOCTYPE, html};

use crate::{Frame, Lang, Texts, frame::time};

/// A session of the account.
pub struct SessionRow<'a> {
    /// By which it is ended. Says nothing of its cookie.
    pub id: &'a str,
    pub user: String,
    pub began: String,
    pub last: String,
    pub source_ip: &'a str,
    pub user_agent: &'a str,
    /// The one that looks at the page.
    pub is_own: bool,
}

/// Who has signed in.
pub fn sessions(frame: &Frame<'_>, rows: &[SessionRow<'_>]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let end = html! {
                @if row.is_own { span { (frame.t("session-own")) } }
                @else {
                    (frame.form(&format!("/sessions/{}/end", row.id), "", &html! {
                        button.quiet type="submit" { (frame.t("session-end")) " "
                            span translate="no" { (row.user) } }
                    }))
                }
            };
            let (began, last) = (time(&row.began), time(&row.last));
            let own = |text: &str| html! { span translate="no" { (text) } };
            vec![own(&row.user), began, last, own(row.source_ip), own(row.user_agent), end]
        })
        .collect();
    let heads =
        ["session-user", "session-began", "session-last", "session-address", "session-browser", "session-action"];
    let content = html! {
        p { (frame.t("sessions-about")) }
        (frame.table("nav-sessions", &heads, &rows))
    };
    frame.page(&frame.t("nav-sessions"), &content)
}

/// A page that only says something: title and text by their ids.
pub fn message(frame: &Frame<'_>, title: &str, text: &str) -> String {
    let content = html! { p { (frame.t(text)) } p { a href="/" { (frame.t("nav-overview")) } } };
    frame.page(&frame.t(title), &content)
}

/// What is said to what never became a request: nobody knows in which language.
pub fn malformed() -> String {
    html! {
        (DOCTYPE)
        html lang=(Lang::English.tag()) {
            head { meta charset="utf-8"; title { (Texts::of(Lang::English).get("product")) } }
            body { @for lang in Lang::ALL { p lang=(lang.tag()) { (Texts::of(lang).get("malformed")) } } }
        }
    }
    .into_string()
}

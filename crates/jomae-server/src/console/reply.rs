//! Answers of the console, each with the headers that keep a browser from doing what nobody asked for.

use jomae_console::Asset;

use crate::http::Answer;

/// Nothing but files of ours, no script or style in a page, forms to us alone, and no frame around it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// An answer in the making.
pub(super) struct Page {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Page {
    pub(super) fn html(status: u16, body: String) -> Self {
        Self { status, content_type: "text/html; charset=utf-8", headers: private(), body: body.into_bytes() }
    }

    /// A file of ours, which belongs to nobody.
    pub(super) fn asset(asset: &Asset) -> Self {
        let headers = vec![("Cache-Control", "public, max-age=300".to_owned())];
        Self { status: 200, content_type: asset.content_type, headers, body: asset.content.as_bytes().to_vec() }
    }

    /// A PNG that belongs to somebody.
    pub(super) fn picture(content: &[u8]) -> Self {
        Self { status: 200, content_type: "image/png", headers: private(), body: content.to_vec() }
    }

    /// What a script of ours has asked for.
    pub(super) fn json(value: &serde_json::Value) -> Self {
        let content_type = "application/json; charset=utf-8";
        Self { status: 200, content_type, headers: private(), body: value.to_string().into_bytes() }
    }

    /// A file to be kept.
    pub(super) fn download(content_type: &'static str, name: &str, body: String) -> Self {
        let mut headers = private();
        headers.push(("Content-Disposition", format!("attachment; filename=\"{name}\"")));
        Self { status: 200, content_type, headers, body: body.into_bytes() }
    }

    /// To another page of ours, to be got.
    pub(super) fn redirect(path: &str) -> Self {
        let mut headers = private();
        headers.push(("Location", path.to_owned()));
        Self { status: 303, content_type: "text/plain; charset=utf-8", headers, body: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn into_answer(self) -> Answer {
        let Self { status, content_type, mut headers, body } = self;
        for (name, value) in [
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            // Not no-referrer: with that, browsers hide from us where our own forms come from.
            ("Referrer-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        ] {
            headers.push((name, value.to_owned()));
        }
        Answer {
            status,
            content_type,
            request_id: String::new(),
            retry_after: None,
            audit_index: None,
            audit_receipt: None,
            headers,
            body,
            close: false,
            known: false,
        }
    }
}

/// What belongs to an account stays in no cache.
fn private() -> Vec<(&'static str, String)> {
    vec![("Cache-Control", "no-store".to_owned())]
}

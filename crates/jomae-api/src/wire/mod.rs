//! How requests arrive and answers leave: decoded parameters, JSON and XML bodies.

pub mod one_reading;
pub mod params;
pub(crate) mod percent;
pub mod render;

pub use params::{Params, ParamsError};

/// Longest raw query, in bytes. Current SDKs put a 32 KiB policy there, escaped up to three times its size.
pub const QUERY_BYTES_MAX: usize = 128 * 1024;
/// Longest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON in UTF-8.
    Json,
    /// XML in UTF-8.
    Xml,
}

impl Format {
    /// What the caller asked for: XML only for `Format=XML` in any case, else JSON (every known client asks for JSON
    /// or cannot read anything else).
    pub fn requested(params: &Params<'_>) -> Self {
        match params.get("Format") {
            Some(text) if text.eq_ignore_ascii_case("XML") => Self::Xml,
            _ => Self::Json,
        }
    }

    /// The `Content-Type` of an answer. One client reads XML errors only under exactly this text.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// One header of a request, as received. Names are ASCII in any case; values may be any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// As sent.
    pub name: &'a str,
    /// As sent, but for the blanks around it.
    pub value: &'a [u8],
}

/// One HTTP request as the signature sees it: nothing decoded, nothing normalised, body already unchunked.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// Path of the request target, without the query.
    pub path: &'a str,
    /// Raw query, without the question mark; empty if there is none.
    pub query: &'a str,
    /// In the order of the request.
    pub headers: &'a [Header<'a>],
    /// Whole; empty if there is none.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The first header of this name (ASCII case ignored).
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
    }

    /// The body if its content type says that it is a form, for [`Params::parse`].
    pub fn form(&self) -> Option<&'a [u8]> {
        self.header("content-type").is_some_and(is_form).then_some(self.body)
    }
}

/// Whether a `Content-Type` value names a form; parameters such as `;charset=utf-8` do not matter.
pub fn is_form(content_type: &[u8]) -> bool {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    content_type.split_at(end).0.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_content_types() {
        assert!(is_form(b"application/x-www-form-urlencoded"));
        assert!(is_form(b" Application/X-WWW-Form-Urlencoded ; charset=UTF-8"));
        assert!(!is_form(b"application/x-www-form-urlencoded2"));
        assert!(!is_form(b"application/json; charset=utf-8"));
        assert!(!is_form(b""));
    }

    #[test]
    fn format_is_xml_only_when_asked() {
        for (query, expected) in [
            ("", Format::Json),
            ("Format=json", Format::Json),
            ("Format=JSON", Format::Json),
            ("Format=other", Format::Json),
            ("Format=xml", Format::Xml),
            ("Format=XML", Format::Xml),
        ] {
            assert_eq!(Format::requested(&Params::parse(query, None).unwrap()), expected, "{query}");
        }
    }
}

//! The pages of the console: functions from data to HTML, in Japanese, Chinese and English.
//!
//! Nothing here calls, waits or decides. What a page shows comes from answers of the API as they are, and every text of
//! its own from the catalogues in `locales/`. Everything that is put into a page is escaped by `maud`; no page has a script
//! or a style of its own, so that the strictest Content-Security-Policy holds.

mod call;
mod frame;
mod may;
pub mod pages;
mod reason;
#[cfg(test)]
mod tests;
mod text;

pub use call::MadeCall;
pub use frame::percent;
pub use frame::{Frame, Refusal, Typed, Visitor};
pub use may::May;
pub use reason::is_known;
pub use text::{Lang, Texts};

/// A file that pages load: its path, its type and its content.
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub content: &'static str,
}

/// Everything that pages load. Nothing of it belongs to an account.
pub const ASSETS: [Asset; 6] = [
    Asset {
        path: "/assets/console.css",
        content_type: "text/css; charset=utf-8",
        content: include_str!("../assets/console.css"),
    },
    Asset {
        path: "/assets/console.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/console.js"),
    },
    Asset {
        path: "/assets/policy.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/policy.js"),
    },
    Asset {
        path: "/assets/keys.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/keys.js"),
    },
    Asset {
        path: "/assets/passkeys.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("../assets/passkeys.js"),
    },
    Asset { path: "/assets/icon.svg", content_type: "image/svg+xml", content: include_str!("../assets/icon.svg") },
];

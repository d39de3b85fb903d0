//! Signing and verifying a text or a small file; with a symmetric key, making and checking a MAC.

use maud::{Markup, html};

use super::keys::key_path;
use crate::{Frame, Typed, frame::code_block};

/// What came of it.
pub enum Signed<'a> {
    Nothing,
    /// The signature or MAC, in Base64.
    Signature(&'a str),
    /// Whether it is genuine.
    Verified(bool),
}

/// `algorithms`: those of the key that this page can do; `versions`: of an asymmetric key.
pub fn sign(
    frame: &Frame<'_>,
    id: &str,
    (algorithms, versions): (&[&str], &[String]),
    typed: &Typed,
    signed: &Signed<'_>,
) -> String {
    let path = key_path(id);
    let own = |names: &mut dyn Iterator<Item = &str>| -> Vec<(String, String)> {
        names.map(|name| (name.to_owned(), name.to_owned())).collect()
    };
    let algorithms = own(&mut algorithms.iter().copied());
    let versions = own(&mut versions.iter().map(String::as_str));
    let choose = |name: &str, label: &str, options: &[(String, String)]| -> Markup {
        let options: Vec<(&str, String)> = options.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        frame.select(name, label, &options, typed.get(name))
    };
    let content = html! {
        p { a href=(path) translate="no" { (id) } }
        @match signed {
            Signed::Nothing => {}
            Signed::Signature(value) => {
                section.result aria-label=(frame.t("signature")) {
                    h2 { (frame.t("signature")) }
                    div id="result" { (code_block(value)) }
                }
            }
            Signed::Verified(true) => { p.done role="status" id="verdict" { (frame.t("signature-genuine")) } }
            Signed::Verified(false) => { p.refused role="alert" id="verdict" { (frame.t("signature-wrong")) } }
        }
        @if algorithms.is_empty() {
            p { (frame.t("sign-not-here")) }
            (code_block(&format!(
                "jomae call AsymmetricSign --KeyId {id} --KeyVersionId \"$VERSION\" --Algorithm \"$ALGORITHM\" --Digest @digest"
            )))
        } @else {
            p { (frame.t("sign-about")) }
            (frame.form(&format!("{path}/sign"), "", &html! {
                (choose("Algorithm", "sign-algorithm", &algorithms))
                @if !versions.is_empty() { (choose("KeyVersionId", "version-id", &versions)) }
                (file_or_text(frame, "message", "sign-text", typed))
                p.actions { button type="submit" { (frame.t("sign")) } }
                div.field {
                    label for="signature" { (frame.t("signature")) }
                    p.hint id="signature-hint" { (frame.t("signature-about")) }
                    textarea id="signature" name="signature" rows="4" autocomplete="off" spellcheck="false"
                        aria-describedby="signature-hint" { "\n" (typed.get("signature")) }
                }
                button.quiet type="submit" formaction={ (path) "/verify" } { (frame.t("verify")) }
            }))
        }
    };
    frame.page(&frame.t("sign-title"), &content)
}

/// A text to type, or a file that the script of the page reads into a hidden field in Base64.
pub(super) fn file_or_text(frame: &Frame<'_>, name: &str, label: &str, typed: &Typed) -> Markup {
    let (file, base64) = (format!("{name}-file"), format!("{name}_base64"));
    html! {
        div.field {
            label for=(name) { (frame.t(label)) }
            textarea id=(name) name=(name) rows="4" autocomplete="off" spellcheck="false" { "\n" (typed.get(name)) }
        }
        div.field.drop data-file=(base64) data-too-large=(frame.t("file-too-large")) data-read=(frame.t("file-read")) {
            label for=(file) { (frame.t("file-instead")) }
            p.hint id={ (file) "-hint" } { (frame.t("file-about")) }
            input id=(file) type="file" aria-describedby={ (file) "-hint" };
            input type="hidden" name=(base64) value=(typed.get(&base64));
            p role="status" {}
        }
    }
}

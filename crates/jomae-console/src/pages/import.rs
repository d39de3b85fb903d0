//! Bringing key material of one's own: the file is wrapped in the browser, or by the command line.

use maud::html;

use super::keys::key_path;
use crate::{Frame, Typed, frame::code_block};

/// What GetParametersForImport has given: the token and the wrapping key, both in Base64.
pub struct Wrapping<'a> {
    pub token: &'a str,
    /// DER SubjectPublicKeyInfo of an RSA key.
    pub public_key: &'a str,
}

/// `wrapping` is there once it was asked for.
pub fn import(frame: &Frame<'_>, id: &str, typed: &Typed, wrapping: Option<&Wrapping<'_>>) -> String {
    let path = key_path(id);
    let content = html! {
        p { a href=(path) translate="no" { (id) } }
        p { (frame.t("import-about")) }
        @match wrapping {
            None => {
                (frame.form(&format!("{path}/import-parameters"), "", &html! {
                    button type="submit" { (frame.t("import-begin")) }
                }))
            }
            Some(wrapping) => {
                (frame.form(&format!("{path}/import"), "", &html! {
                    input type="hidden" name="ImportToken" value=(wrapping.token);
                    input type="hidden" name="PublicKey" value=(wrapping.public_key);
                    div.drop data-wrap=(wrapping.public_key) data-wrapped=(frame.t("import-wrapped"))
                        data-too-long=(frame.t("import-too-long")) data-failed=(frame.t("import-failed")) {
                        label for="material" { (frame.t("import-file")) }
                        p.hint id="material-hint" { (frame.t("import-file-about")) }
                        // Without a name: the file itself is never sent.
                        input id="material" type="file" aria-describedby="material-hint";
                        p role="status" id="wrap-status" {}
                    }
                    (frame.area("EncryptedKeyMaterial", "import-blob", "import-blob-about", typed.get("EncryptedKeyMaterial")))
                    (frame.input("expires", "import-expires", "import-expires-about", typed.get("expires"), false))
                    button type="submit" { (frame.t("import-do")) }
                }))
                h2 { (frame.t("import-cli")) }
                p { (frame.t("import-cli-wrap")) }
                (code_block("base64 -d > public.der"))
                (code_block(wrapping.public_key))
                (code_block("jomae key wrap --public-key public.der --material key.bin"))
            }
        }
        h2 { (frame.t("import-all-cli")) }
        p { (frame.t("import-all-cli-about")) }
        (code_block(&format!("jomae key import {id} --material key.bin")))
    };
    frame.page(&frame.t("import-title"), &content)
}

//! What buttons do. Each is one action of the API, or some in a row; what is refused shows the form again, as it was typed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jomae_console::{Refusal, Typed, pages::Tried, percent};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    Visit,
    ask::{Asker, given},
    keys::content,
    parts,
    reply::Page,
    sessions::Session,
    views::{Outcome, with_prefix},
};

/// Longest text that is put into the path of a page, in bytes.
const NAME_BYTES_MAX: usize = 256;

pub(super) fn refused(refusal: Refusal, typed: &Typed) -> Outcome<'static> {
    Outcome { refusal: Some(refusal), typed: typed.clone(), ..Outcome::default() }
}

/// An encryption context of one pair, in JSON; empty if no name was typed.
fn context(typed: &Typed, prefix: &str) -> String {
    let (name, value) = (typed.get(&format!("{prefix}_name")), typed.get(&format!("{prefix}_value")));
    if name.is_empty() && value.is_empty() { String::new() } else { json!({ name: value }).to_string() }
}

impl Visit<'_> {
    /// A form that was sent by whoever is signed in here.
    pub(super) async fn act(&self, session: &Session, path: &str, typed: &Typed) -> Page {
        let Some(parts) = parts(path).filter(|parts| parts.iter().all(|part| part.len() <= NAME_BYTES_MAX)) else {
            return self.message(404, "not-found-title", "not-found");
        };
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let asker = self.asker(session);
        match parts.as_slice() {
            ["keys", "new"] => self.make_key(session, asker, typed).await,
            ["keys", id, "encrypt"] => self.encrypt(session, asker, id, typed).await,
            ["keys", id, "decrypt"] => self.decrypt(session, asker, id, typed).await,
            ["keys", id, "import-parameters"] => self.begin_import(session, asker, id, typed).await,
            ["keys", id, "import"] => self.finish_import(session, asker, id, typed).await,
            ["keys", id, "sign"] => self.sign(session, asker, (id, false), typed).await,
            ["keys", id, "verify"] => self.sign(session, asker, (id, true), typed).await,
            ["keys", id, "grant"] => self.give_right(session, asker, id, typed).await,
            ["keys", id, act] => self.change_key(session, asker, id, act, typed).await,
            ["people" | "groups" | "roles" | "policies" | "simulate" | "replay", ..] => {
                self.act_people(session, &parts, typed).await
            }
            ["sessions", id, "end"] => self.end_session(session, id),
            _ => self.message(404, "not-found-title", "not-found"),
        }
    }

    async fn make_key(&self, session: &Session, mut asker: Asker<'_>, typed: &Typed) -> Page {
        let interval = typed.get("RotationInterval");
        let params = given(&[
            ("Description", typed.get("Description")),
            ("KeySpec", typed.get("KeySpec")),
            ("Origin", typed.get("Origin")),
            ("EnableAutomaticRotation", if interval.is_empty() { "" } else { "true" }),
            ("RotationInterval", interval),
        ]);
        let made = match asker.ask("CreateKey", params).await {
            Ok(made) => made,
            Err(refusal) => return self.create_key(session, &asker, &refused(refusal, typed)),
        };
        let metadata = made.get("KeyMetadata");
        let id = metadata.and_then(|key| key.get("KeyId")).and_then(Value::as_str).unwrap_or_default();
        let alias = typed.get("alias").trim();
        if !alias.is_empty() {
            let params = given(&[("AliasName", &with_prefix(alias)), ("KeyId", id)]);
            if let Err(refusal) = asker.ask("CreateAlias", params).await {
                // The key is there: its page says what is missing, and has the form for it.
                return self.key(session, &mut asker, id, &refused(refusal, typed)).await;
            }
        }
        go(&format!("/keys/{}", percent(id)), "key-created")
    }

    async fn change_key(&self, session: &Session, mut asker: Asker<'_>, id: &str, act: &str, typed: &Typed) -> Page {
        let tags = json!([{ "TagKey": typed.get("tag_key"), "TagValue": typed.get("tag_value") }]).to_string();
        let tag_keys = json!([typed.get("TagKey")]).to_string();
        let alias = with_prefix(typed.get("alias").trim());
        let (action, params, done) = match act {
            "enable" => ("EnableKey", vec![("KeyId", id)], "enabled"),
            "disable" => ("DisableKey", vec![("KeyId", id)], "disabled"),
            "cancel-deletion" => ("CancelKeyDeletion", vec![("KeyId", id)], "deletion-cancelled"),
            "schedule-deletion" => {
                let days = ("PendingWindowInDays", typed.get("PendingWindowInDays").trim());
                ("ScheduleKeyDeletion", vec![("KeyId", id), days], "deletion-scheduled")
            }
            "create-alias" => ("CreateAlias", vec![("AliasName", alias.as_str()), ("KeyId", id)], "alias-created"),
            "delete-alias" => ("DeleteAlias", vec![("AliasName", typed.get("AliasName"))], "alias-deleted"),
            "tag" => ("TagResource", vec![("KeyId", id), ("Tags", tags.as_str())], "tagged"),
            "untag" => ("UntagResource", vec![("KeyId", id), ("TagKeys", tag_keys.as_str())], "untagged"),
            "rotate" => ("CreateKeyVersion", vec![("KeyId", id)], "rotated"),
            _ => return self.message(404, "not-found-title", "not-found"),
        };
        if act == "schedule-deletion" && typed.get("confirm").trim() != id {
            let refusal = Refusal { code: "confirm".to_owned(), ..Refusal::default() };
            return self.key(session, &mut asker, id, &refused(refusal, typed)).await;
        }
        match asker.ask(action, given(&params)).await {
            Ok(_) => go(&format!("/keys/{}", percent(id)), done),
            Err(refusal) => self.key(session, &mut asker, id, &refused(refusal, typed)).await,
        }
    }

    async fn encrypt(&self, session: &Session, mut asker: Asker<'_>, id: &str, typed: &Typed) -> Page {
        let plaintext = Zeroizing::new(STANDARD.encode(&*content(typed, "plaintext")));
        let context = context(typed, "encrypt_context");
        let params = given(&[("KeyId", id), ("Plaintext", &plaintext), ("EncryptionContext", &context)]);
        match asker.ask("Encrypt", params).await {
            Ok(answer) => {
                let ciphertext = answer.get("CiphertextBlob").and_then(Value::as_str).unwrap_or_default();
                // What was encrypted is not shown again, but its context is the one to decrypt with.
                let kept = [
                    ("ciphertext", ciphertext),
                    ("decrypt_context_name", typed.get("encrypt_context_name")),
                    ("decrypt_context_value", typed.get("encrypt_context_value")),
                ];
                let tried = Some(Tried::Ciphertext(ciphertext));
                self.try_it(session, &asker, id, &Outcome { typed: Typed(given(&kept)), tried, ..Outcome::default() })
            }
            Err(refusal) => self.try_it(session, &asker, id, &refused(refusal, typed)),
        }
    }

    async fn decrypt(&self, session: &Session, mut asker: Asker<'_>, id: &str, typed: &Typed) -> Page {
        let ciphertext: String = typed.get("ciphertext").split_ascii_whitespace().collect();
        let context = context(typed, "decrypt_context");
        match asker.ask("Decrypt", given(&[("CiphertextBlob", &ciphertext), ("EncryptionContext", &context)])).await {
            Ok(answer) => {
                let given = answer.get("Plaintext").and_then(Value::as_str).unwrap_or_default();
                let bytes = Zeroizing::new(STANDARD.decode(given).unwrap_or_else(|_| given.as_bytes().to_vec()));
                let tried = Some(Tried::Plaintext(std::str::from_utf8(&bytes).ok(), given));
                self.try_it(session, &asker, id, &Outcome { typed: typed.clone(), tried, ..Outcome::default() })
            }
            Err(refusal) => self.try_it(session, &asker, id, &refused(refusal, typed)),
        }
    }

    /// A policy for this key, and its attachment.
    async fn give_right(&self, session: &Session, mut asker: Asker<'_>, id: &str, typed: &Typed) -> Page {
        let arn = match asker.ask("DescribeKey", given(&[("KeyId", id)])).await {
            Ok(described) => {
                let arn = described.get("KeyMetadata").and_then(|key| key.get("Arn")?.as_str());
                arn.unwrap_or_default().to_owned()
            }
            Err(refusal) => return self.grant(session, &mut asker, id, &refused(refusal, typed)).await,
        };
        let actions = match typed.get("right") {
            "kms:Encrypt" => json!(["kms:Encrypt"]),
            "both" => json!(["kms:Encrypt", "kms:Decrypt"]),
            _ => json!(["kms:Decrypt"]),
        };
        let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": [arn] });
        let (name, value) = (typed.get("grant_context_name"), typed.get("grant_context_value"));
        if !name.is_empty() || !value.is_empty() {
            let key = format!("kms:EncryptionContext/{name}");
            statement["Condition"] = json!({ "StringEquals": { key: value } });
        }
        let document = json!({ "Version": "1", "Statement": [statement] }).to_string();
        let policy = typed.get("PolicyName").trim();
        let params = given(&[("PolicyName", policy), ("PolicyDocument", &document)]);
        if let Err(refusal) = asker.ask("CreatePolicy", params).await {
            return self.grant(session, &mut asker, id, &refused(refusal, typed)).await;
        }
        let user = typed.get("UserName");
        let params = given(&[("UserName", user), ("PolicyName", policy), ("PolicyType", "Custom")]);
        match asker.ask("AttachPolicyToUser", params).await {
            Ok(_) => go(&format!("/people/{}", percent(user)), "granted"),
            Err(refusal) => self.grant(session, &mut asker, id, &refused(refusal, typed)).await,
        }
    }

    /// Ends a session: the account any of its own, a user his.
    fn end_session(&self, session: &Session, id: &str) -> Page {
        let sessions = self.console.sessions.of(&session.caller.account, self.now);
        let may = |other: &&Session| session.caller.is_root() || other.is_of_same(session);
        if sessions.iter().filter(may).any(|other| other.id == id) {
            self.console.sessions.end(&session.caller.account, id);
        }
        go("/sessions", "session-ended")
    }
}

/// To a page that says what was done.
pub(super) fn go(path: &str, done: &str) -> Page {
    Page::redirect(&format!("{path}?done={done}"))
}

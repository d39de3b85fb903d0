use jomae_api::actions::ram::passkeys::create_passkey::{CreatePasskey, Output};

use super::{Answered, Challenge, ChallengeFor, PasskeyRecord, PasskeysOfRecord, id_of, path, shown, user};
use crate::{
    prelude::*,
    ram::login::{LoginRecord, path as login_path},
    stored::Bytes,
    webauthn::{Expected, verify_creation},
};

impl Handle<CreatePasskey> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreatePasskey>,
    ) -> Result<Output> {
        let (account, action) = (call.caller.account(), granted.action());
        let user = user(call, tx, None)?;
        tx.get::<LoginRecord>(&login_path::login(account, &user.id))?.ok_or(Refusal::LoginProfileNotFound)?;
        let of = ChallengeFor::make(account, &user.id);
        let challenge = Challenge::open(self.vault.keyring(), &action.challenge, &of, call.now.0);
        let challenge = challenge.ok_or(Refusal::PasskeyInvalid)?;
        let expected = Expected {
            challenge: &challenge.bytes,
            origin: &challenge.origin,
            rp_id: challenge.rp_id(),
            // Asked for when somebody signs in with nothing else; beside a password it need not be there.
            needs_verification: false,
        };
        let made = verify_creation(&action.client_data, &action.attestation, &expected)
            .map_err(|_| Refusal::PasskeyInvalid)?;
        let of_user = path::of_user(account, &user.id);
        let before = tx.get::<PasskeysOfRecord>(&of_user)?.map(|before| (*before).clone()).unwrap_or_default();
        let answered = before.answered.with(&challenge, call.now.0).ok_or(Refusal::PasskeyInvalid)?;
        let at = path::passkey(account, &id_of(&made.credential_id));
        if tx.get::<PasskeyRecord>(&at)?.is_some() {
            return Err(Refusal::PasskeyExists.into());
        }
        if before.ids.len() >= limits::PASSKEYS_MAX {
            return Err(Refusal::PasskeyLimit.into());
        }
        let record = PasskeyRecord {
            user_id: user.id.clone(),
            name: action.name.clone(),
            rp_id: challenge.rp_id().to_owned(),
            key: made.key,
            counter: made.counter,
            can_be_backed_up: made.can_be_backed_up,
            is_backed_up: made.is_backed_up,
            transports: action.transports.clone().unwrap_or_default(),
            created: call.now.0,
            last_used: None,
            answered: Answered::default(),
            credential_id: Bytes(made.credential_id),
        };
        let mut ids = before.ids;
        ids.push(id_of(&record.credential_id.0));
        tx.put(at, &record)?;
        tx.put(of_user, &PasskeysOfRecord { ids, answered })?;
        Ok(Output { passkey: shown(&record) })
    }
}

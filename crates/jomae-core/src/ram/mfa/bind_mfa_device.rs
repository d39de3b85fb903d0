use jomae_api::actions::ram::mfa::bind_mfa_device::BindMFADevice;
use jomae_crypto::totp;

use super::device;
use crate::{
    prelude::*,
    ram::{
        find,
        login::{DeviceOfRecord, MfaDeviceRecord, path},
    },
};

impl Handle<BindMFADevice> for Kms {
    async fn handle(&self, call: &Call<'_>, tx: &mut Tx<'_>, granted: &Authorized<'_, BindMFADevice>) -> Result<Empty> {
        let (account, action) = (call.caller.account(), granted.action());
        let user = find::user(tx, account, &action.user_name)?;
        let record = device(tx, account, &action.serial_number)?;
        if record.bound.is_some() {
            return Err(Refusal::MfaDeviceHasUser.into());
        }
        let of_user = path::device_of(account, &user.id);
        if tx.get::<DeviceOfRecord>(&of_user)?.is_some() {
            return Err(Refusal::UserHasMfaDevice.into());
        }
        let seed = record.seed(self.vault.keyring(), &action.serial_number)?;
        let now = u64::try_from(call.now.0).unwrap_or(0);
        let step = totp::step_of_two(&seed, &action.code_1, &action.code_2, now)
            .filter(|step| *step > record.last_step)
            .ok_or(Refusal::MfaCodeIncorrect)?;
        let bound = Some((user.id.clone(), call.now.0));
        let name = &action.serial_number.name;
        tx.put(path::device(account, name), &MfaDeviceRecord { bound, last_step: step, ..(*record).clone() })?;
        tx.put(of_user, &DeviceOfRecord { device: name.clone() })?;
        Ok(Empty {})
    }
}

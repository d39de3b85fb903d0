use jomae_api::actions::ram::mfa::{
    SerialNumber,
    create_virtual_mfa_device::{CreateVirtualMFADevice, NewVirtualMfaDevice, Output},
};
use jomae_crypto::{totp, wrap};

use super::picture;
use crate::{
    prelude::*,
    quota::is_full,
    ram::login::{DeviceCountRecord, MfaDeviceRecord, path},
    stored::Bytes,
};

impl Handle<CreateVirtualMFADevice> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, CreateVirtualMFADevice>,
    ) -> Result<Output> {
        let account = call.caller.account();
        let serial = SerialNumber { account: account.clone(), name: granted.action().name.clone() };
        let at = path::device(account, &serial.name);
        // Whoever has to bind one has shown nothing but a password, and the seed of one that was left unbound may have been seen
        // by somebody else who had it: it is not taken up again, another one takes its place.
        let must_bind = call.caller.signed_in.as_ref().is_some_and(|facts| facts.must_bind);
        let before = tx.get::<MfaDeviceRecord>(&at)?;
        if before.as_ref().is_some_and(|before| before.bound.is_some() || !must_bind) {
            return Err(Refusal::MfaDeviceExists.into());
        }
        let count = tx.get::<DeviceCountRecord>(&path::device_count(account))?.map_or(0, |count| count.devices);
        if before.is_none() {
            if is_full(limits::MFA_DEVICES_MAX, count) {
                return Err(Refusal::MfaDeviceLimit.into());
            }
            tx.put(path::device_count(account), &DeviceCountRecord { devices: count + 1 })?;
        }
        let (seed, serial_number) = (totp::new_seed(), serial.to_wire());
        let wrapped = self.vault.keyring().seal_with(|domain| wrap::wrap_mfa_seed(domain, &serial_number, &seed))?;
        let record = MfaDeviceRecord { seed: Bytes(wrapped), created: call.now.0, bound: None, last_step: 0 };
        tx.put(at, &record)?;
        let text = totp::seed_text(&seed);
        let qr_code_png = SecretBase64(picture::png(&serial, &text)?);
        let base32_string_seed = SecretText(text);
        Ok(Output { virtual_mfa_device: NewVirtualMfaDevice { serial_number, base32_string_seed, qr_code_png } })
    }
}

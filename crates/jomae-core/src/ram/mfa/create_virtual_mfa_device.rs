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
        if tx.get::<MfaDeviceRecord>(&at)?.is_some() {
            return Err(Refusal::MfaDeviceExists.into());
        }
        let count = tx.get::<DeviceCountRecord>(&path::device_count(account))?.map_or(0, |count| count.devices);
        if is_full(limits::MFA_DEVICES_MAX, count) {
            return Err(Refusal::MfaDeviceLimit.into());
        }
        let (seed, serial_number) = (totp::new_seed(), serial.to_wire());
        let wrapped = self.vault.keyring().seal_with(|domain| wrap::wrap_mfa_seed(domain, &serial_number, &seed))?;
        let record = MfaDeviceRecord { seed: Bytes(wrapped), created: call.now.0, bound: None, last_step: 0 };
        tx.put(at, &record)?;
        tx.put(path::device_count(account), &DeviceCountRecord { devices: count + 1 })?;
        let text = totp::seed_text(&seed);
        let qr_code_png = SecretBase64(picture::png(&serial, &text)?);
        let base32_string_seed = SecretText(text);
        Ok(Output { virtual_mfa_device: NewVirtualMfaDevice { serial_number, base32_string_seed, qr_code_png } })
    }
}

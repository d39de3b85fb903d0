use jomae_api::actions::ram::mfa::delete_virtual_mfa_device::DeleteVirtualMFADevice;

use super::device;
use crate::{
    prelude::*,
    ram::login::{DeviceCountRecord, MfaDeviceRecord, path},
};

impl Handle<DeleteVirtualMFADevice> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, DeleteVirtualMFADevice>,
    ) -> Result<Empty> {
        let (account, serial) = (call.caller.account(), &granted.action().serial_number);
        if device(tx, account, serial)?.bound.is_some() {
            return Err(Refusal::MfaDeviceIsBound.into());
        }
        let count = tx.get::<DeviceCountRecord>(&path::device_count(account))?.map_or(0, |count| count.devices);
        tx.put(path::device_count(account), &DeviceCountRecord { devices: count.saturating_sub(1) })?;
        tx.delete::<MfaDeviceRecord>(path::device(account, &serial.name));
        Ok(Empty {})
    }
}

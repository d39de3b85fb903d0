use jomae_api::actions::ram::mfa::{MfaDevice, MfaDeviceOutput, unbind_mfa_device::UnbindMFADevice};

use super::{device, device_of};
use crate::{
    prelude::*,
    ram::{
        find,
        login::{DeviceOfRecord, MfaDeviceRecord, end_sessions, path},
    },
};

impl Handle<UnbindMFADevice> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, UnbindMFADevice>,
    ) -> Result<MfaDeviceOutput> {
        let account = call.caller.account();
        let user = find::user(tx, account, &granted.action().user_name)?;
        let serial = device_of(tx, account, &user)?;
        let record = device(tx, account, &serial)?;
        tx.put(path::device(account, &serial.name), &MfaDeviceRecord { bound: None, ..(*record).clone() })?;
        tx.delete::<DeviceOfRecord>(path::device_of(account, &user.id));
        // What was opened with a device that is lost must not stay open.
        end_sessions(tx, account, &user)?;
        Ok(MfaDeviceOutput { mfa_device: MfaDevice { serial_number: serial.to_wire(), r#type: None } })
    }
}

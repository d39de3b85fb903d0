//! Virtual MFA devices. One file an action.

mod bind_mfa_device;
mod create_virtual_mfa_device;
mod delete_virtual_mfa_device;
mod get_user_mfa_info;
mod list_virtual_mfa_devices;
mod picture;
mod unbind_mfa_device;

use std::sync::Arc;

use jomae_api::actions::ram::mfa::SerialNumber;

use super::{
    login::{DeviceOfRecord, MfaDeviceRecord, path},
    record::UserRecord,
};
use crate::prelude::*;

/// The device with this serial number, if it is the account's; or `EntityNotExist.VirtualMFADevice`.
fn device(tx: &mut Tx<'_>, account: &AccountId, serial: &SerialNumber) -> Result<Arc<MfaDeviceRecord>> {
    let record = if serial.account == *account { tx.get(&path::device(account, &serial.name))? } else { None };
    record.ok_or(Refusal::MfaDeviceNotFound.into())
}

/// The serial number of the device that a user has, or `EntityNotExist.User.MFADevice`.
fn device_of(tx: &mut Tx<'_>, account: &AccountId, user: &UserRecord) -> Result<SerialNumber> {
    let found = tx.get::<DeviceOfRecord>(&path::device_of(account, &user.id))?.ok_or(Refusal::UserMfaDeviceNotFound)?;
    Ok(SerialNumber { account: account.clone(), name: found.device.clone() })
}

use jomae_api::actions::ram::mfa::{
    SerialNumber,
    list_virtual_mfa_devices::{DeviceUser, ListVirtualMFADevices, Output, VirtualMfaDevice},
};

use crate::{
    prelude::*,
    ram::{
        login::{MfaDeviceRecord, path},
        record::{UserRecord, path as ram_path},
        scan,
    },
};

impl Handle<ListVirtualMFADevices> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        _: &Authorized<'_, ListVirtualMFADevices>,
    ) -> Result<Output> {
        let account = call.caller.account();
        let devices_max = usize::try_from(limits::MFA_DEVICES_MAX).map_err(Fault::internal)?;
        let (names, _) = scan::names(tx, &path::devices(account), None, devices_max)?;
        let mut devices = Vec::with_capacity(names.len());
        for name in names {
            // Gone since the list was found: it is no row any more.
            let Some(device) = tx.get::<MfaDeviceRecord>(&path::device(account, &name))? else { continue };
            let (mut activate_date, mut user) = (None, None);
            if let Some((id, at)) = &device.bound
                && let Some(found) = tx.get::<UserRecord>(&ram_path::user(account, id))?
            {
                activate_date = Some(Timestamp(*at));
                user = Some(DeviceUser {
                    user_id: found.id.clone(),
                    user_name: found.name.clone(),
                    display_name: found.display_name.clone(),
                });
            }
            let serial_number = SerialNumber { account: account.clone(), name }.to_wire();
            devices.push(VirtualMfaDevice { serial_number, activate_date, user });
        }
        Ok(Output { virtual_mfa_devices: List(devices) })
    }
}

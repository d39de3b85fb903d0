use jomae_api::actions::ram::mfa::{MfaDevice, MfaDeviceOutput, get_user_mfa_info::GetUserMFAInfo};

use super::device_of;
use crate::{prelude::*, ram::find};

impl Handle<GetUserMFAInfo> for Kms {
    async fn handle(
        &self,
        call: &Call<'_>,
        tx: &mut Tx<'_>,
        granted: &Authorized<'_, GetUserMFAInfo>,
    ) -> Result<MfaDeviceOutput> {
        let account = call.caller.account();
        let user = find::user(tx, account, &granted.action().user_name)?;
        let serial = device_of(tx, account, &user)?;
        Ok(MfaDeviceOutput { mfa_device: MfaDevice { serial_number: serial.to_wire(), r#type: Some("VMFA") } })
    }
}

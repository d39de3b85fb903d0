//! `ListVirtualMFADevices`: all devices of the account.

use crate::actions::prelude::*;

request! {
    pub struct ListVirtualMFADevices {
    }
}

answer! {
    /// Who has a device.
    pub struct DeviceUser {
        /// ID of the user.
        user_id: String => "UserId",
        /// Name of the user.
        user_name: String => "UserName",
        /// The name for people.
        display_name: String => "DisplayName",
    }

    /// A device, as the list shows it.
    pub struct VirtualMfaDevice as "VirtualMFADevice" {
        /// Serial number of the device.
        serial_number: String => "SerialNumber",
        /// When it was bound to its user; absent if it is bound to none.
        activate_date: Option<Timestamp> => "ActivateDate",
        /// Its user; absent if it is bound to none.
        user: Option<DeviceUser> => "User",
    }

    pub struct Output {
        /// The devices.
        virtual_mfa_devices: List<VirtualMfaDevice> => "VirtualMFADevices",
    }
}

impl Action for ListVirtualMFADevices {
    type Output = Output;
    const SHEET: ActionSpec = ActionSpec {
        name: "ListVirtualMFADevices",
        doc: "Lists the virtual MFA devices of the account, by name, and whose they are.",
        ..ActionSpec::read(Group::Mfa)
    };

    fn access(&self) -> Access<'_> {
        Self::on(Target::RamAll(RamKind::MfaDevice))
    }
}

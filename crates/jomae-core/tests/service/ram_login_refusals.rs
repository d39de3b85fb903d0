//! The refusals of login profiles, passwords and MFA devices, each produced once for the table of all.

use jomae_api::{error::Refusal, limits};
use jomae_core::{
    ram::login::{DeviceCountRecord, path},
    service::Reply,
};

use crate::{
    common::World,
    passkeys,
    ram_users::new_user,
    sign_in::{PASSWORD, bind, device},
};

/// A user `u` of Alice's who may sign in and has the device `d`, a user `v` who has and may nothing, and a device `e`.
fn furnished() -> World {
    let world = World::new();
    world.alice().ok("CreateUser", &[("UserName", "u")]);
    world.alice().ok("CreateUser", &[("UserName", "v")]);
    world.alice().ok("CreateLoginProfile", &[("UserName", "u"), ("Password", PASSWORD)]);
    let (seed, serial) = device(&world, "d");
    bind(&world, "u", &serial, &seed);
    device(&world, "e");
    world
}

fn call(action: &str, params: &[(&str, &str)]) -> Reply {
    furnished().alice().reply(action, params)
}

/// A call that names a device of Alice's.
fn on_device(action: &str, name: &str, more: &[(&str, &str)]) -> Reply {
    let world = furnished();
    let serial = format!("acs:ram::{}:mfa/{name}", world.alice.account);
    world.alice().reply(action, &[&[("SerialNumber", serial.as_str())], more].concat())
}

fn bound_to(user: &str, device: &str, code: &str) -> Reply {
    on_device(
        "BindMFADevice",
        device,
        &[("UserName", user), ("AuthenticationCode1", code), ("AuthenticationCode2", "000000")],
    )
}

/// A change of the password by a user who has the first one.
fn change(old: &str, new: &str) -> Reply {
    let world = World::new();
    let user = new_user(&world, "u");
    world.alice().ok("CreateLoginProfile", &[("UserName", "u"), ("Password", PASSWORD)]);
    world.alice().ok("SetPasswordPolicy", &[("PasswordReusePrevention", "1")]);
    world.alice().with(&user).reply("ChangePassword", &[("OldPassword", old), ("NewPassword", new)])
}

fn has_login_profile() -> Reply {
    let world = World::new();
    world.alice().ok("CreateUser", &[("UserName", "u")]);
    world.alice().ok("CreateLoginProfile", &[("UserName", "u"), ("Password", PASSWORD)]);
    world.alice().reply("DeleteUser", &[("UserName", "u")])
}

fn has_device() -> Reply {
    let world = furnished();
    world.alice().done("DeleteLoginProfile", &[("UserName", "u")]);
    world.alice().reply("DeleteUser", &[("UserName", "u")])
}

fn many_devices() -> Reply {
    let world = furnished();
    let at = path::device_count(&world.alice.account);
    let full = DeviceCountRecord { devices: limits::MFA_DEVICES_MAX };
    world.write(|tx| {
        tx.get::<DeviceCountRecord>(&at).unwrap();
        tx.put(at.clone(), &full).unwrap();
    });
    world.alice().reply("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "one-more")])
}

/// What makes a refusal.
pub fn make(refusal: Refusal) -> Option<fn() -> Reply> {
    Some(match refusal {
        Refusal::PasswordWeak => || call("CreateLoginProfile", &[("UserName", "v"), ("Password", "weak")]),
        Refusal::OldPasswordIncorrect => || change("wrong", "another-Long-passphrase-9"),
        Refusal::NewPasswordWeak => || change(PASSWORD, "weak"),
        Refusal::NewPasswordUsedBefore => || change(PASSWORD, PASSWORD),
        Refusal::UsersOnly => || call("ChangePassword", &[("OldPassword", "x"), ("NewPassword", "y")]),
        Refusal::MinimumPasswordLengthRange => || call("SetPasswordPolicy", &[("MinimumPasswordLength", "7")]),
        Refusal::LoginProfileNotFound => || call("GetLoginProfile", &[("UserName", "v")]),
        Refusal::LoginProfileExists => || call("CreateLoginProfile", &[("UserName", "u"), ("Password", PASSWORD)]),
        Refusal::UserHasLoginProfile => has_login_profile,
        Refusal::UserHasMfaDeviceBound => has_device,
        Refusal::MfaDeviceNameChars => || call("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "a b")]),
        Refusal::MfaDeviceNameLength => {
            || call("CreateVirtualMFADevice", &[("VirtualMFADeviceName", &*"x".repeat(65))])
        }
        Refusal::MfaCodeFormat => || bound_to("v", "e", "12345"),
        Refusal::MfaCodeIncorrect => || bound_to("v", "e", "000000"),
        Refusal::MfaDeviceNotFound => || on_device("DeleteVirtualMFADevice", "none", &[]),
        Refusal::UserMfaDeviceNotFound => || call("GetUserMFAInfo", &[("UserName", "v")]),
        Refusal::MfaDeviceExists => || call("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "d")]),
        Refusal::MfaDeviceHasUser => || bound_to("v", "d", "000000"),
        Refusal::UserHasMfaDevice => || bound_to("u", "e", "000000"),
        Refusal::MfaDeviceIsBound => || on_device("DeleteVirtualMFADevice", "d", &[]),
        Refusal::MfaDeviceLimit => many_devices,
        Refusal::PasskeyInvalid => passkeys::invalid,
        Refusal::PasskeyNotFound => || call("DeletePasskey", &[("UserName", "v"), ("PasskeyId", &*"0".repeat(32))]),
        Refusal::PasskeyExists => passkeys::twice,
        Refusal::PasskeyLimit => passkeys::too_many,
        _ => return None,
    })
}

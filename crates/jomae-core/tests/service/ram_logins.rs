//! Login profiles, passwords and the account's rules for them; virtual MFA devices.

use jomae_api::limits;
use jomae_core::ram::sign_in::STRANGERS_FAILURES_MAX;
use jomae_crypto::secret::SecretBytes;
use serde_json::json;

use crate::{
    common::{World, document},
    ram_users::{allow, new_user},
    sign_in::PASSWORD,
};

const OTHER: &str = "another-Long-passphrase-9";

fn of(user: &str) -> [(&'static str, &str); 1] {
    [("UserName", user)]
}

#[test]
fn a_login_profile_lives() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateUser", &of("zhang"));
    for action in ["GetLoginProfile", "DeleteLoginProfile", "UpdateLoginProfile"] {
        alice.refused(action, &of("zhang"), "404 EntityNotExist.User.LoginProfile");
        alice.refused(action, &of("nobody"), "404 EntityNotExist.User");
    }
    let made = alice.ok("CreateLoginProfile", &[("UserName", "zhang"), ("Password", PASSWORD)]);
    let profile = json!({"LoginProfile": {"UserName": "zhang", "PasswordResetRequired": false,
        "MFABindRequired": false, "CreateDate": world.timestamp()}});
    assert_eq!(made, profile);
    assert_eq!(alice.ok("GetLoginProfile", &of("zhang")), profile);
    let again = [("UserName", "zhang"), ("Password", PASSWORD)];
    alice.refused("CreateLoginProfile", &again, "409 EntityAlreadyExists.User.LoginProfile");
    alice.refused("CreateLoginProfile", &[("UserName", "nobody"), ("Password", PASSWORD)], "404 EntityNotExist.User");
    alice.done("UpdateLoginProfile", &[("UserName", "zhang"), ("MFABindRequired", "true")]);
    let changed = alice.ok("GetLoginProfile", &of("zhang"));
    assert_eq!(changed["LoginProfile"]["MFABindRequired"], true);
    assert_eq!(changed["LoginProfile"]["PasswordResetRequired"], false);
    alice.refused("DeleteUser", &of("zhang"), "409 DeleteConflict.User.LoginProfile");
    alice.done("DeleteLoginProfile", &of("zhang"));
    alice.done("DeleteUser", &of("zhang"));
    // Another account has none of it.
    world.bob().refused("GetLoginProfile", &of("zhang"), "404 EntityNotExist.User");
}

#[test]
fn passwords_follow_the_rules() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateUser", &of("zhang"));
    let create = |password: &str, code: &str| {
        alice.refused("CreateLoginProfile", &[("UserName", "zhang"), ("Password", password)], code);
    };
    let weak = "400 InvalidParameter.Password.TooWeak";
    create("short-9", weak);
    create(&"x".repeat(limits::PASSWORD_CHARS_MAX + 1), weak);
    create("", "400 MissingParameter");
    let rules = [
        ("MinimumPasswordLength", "12"),
        ("RequireLowercaseCharacters", "true"),
        ("RequireUppercaseCharacters", "true"),
        ("RequireNumbers", "true"),
        ("RequireSymbols", "true"),
    ];
    let set = alice.ok("SetPasswordPolicy", &rules);
    assert_eq!(alice.ok("GetPasswordPolicy", &[]), set);
    for password in ["Abcdef-1234", "abcdef-12345", "ABCDEF-12345", "Abcdef-ghijk", "Abcdef123456"] {
        create(password, weak);
    }
    alice.ok("CreateLoginProfile", &[("UserName", "zhang"), ("Password", "Abcdef-12345")]);
    alice.refused("UpdateLoginProfile", &[("UserName", "zhang"), ("Password", "weak")], weak);
    // What is not given stays.
    let changed = alice.ok("SetPasswordPolicy", &[("HardExpiry", "true")]);
    assert_eq!(changed["PasswordPolicy"]["MinimumPasswordLength"], 12);
    assert_eq!(changed["PasswordPolicy"]["HardExpiry"], true);
    for bad in ["7", "33", "x", "-1"] {
        let range = "400 InvalidParameter.MinimumPasswordLength.Range";
        alice.refused("SetPasswordPolicy", &[("MinimumPasswordLength", bad)], range);
    }
    alice.refused("SetPasswordPolicy", &[("MaxPasswordAge", "1096")], "400 InvalidParameter");
    // Another account has its own.
    assert_eq!(world.bob().ok("GetPasswordPolicy", &[])["PasswordPolicy"]["MinimumPasswordLength"], 8);
}

#[test]
fn a_user_changes_the_own_password() {
    let world = World::new();
    let alice = world.alice();
    let zhang = new_user(&world, "zhang");
    let change = |old: &str, new: &str, expected: &str| {
        let client = alice.with(&zhang);
        let params = [("OldPassword", old), ("NewPassword", new)];
        if expected == "200" {
            client.done("ChangePassword", &params);
        } else {
            client.refused("ChangePassword", &params, expected);
        }
    };
    change(PASSWORD, OTHER, "404 EntityNotExist.User.LoginProfile");
    alice.ok("CreateLoginProfile", &[("UserName", "zhang"), ("Password", PASSWORD)]);
    alice.ok("SetPasswordPolicy", &[("PasswordReusePrevention", "2")]);
    change("wrong", OTHER, "400 InvalidParameter.OldPassword.Incorrect");
    change(PASSWORD, "weak", "400 InvalidParameter.NewPassword.TooWeak");
    change(PASSWORD, PASSWORD, "400 InvalidParameter.NewPassword.ReusePrevention");
    change(PASSWORD, OTHER, "200");
    change(OTHER, PASSWORD, "400 InvalidParameter.NewPassword.ReusePrevention");
    change(OTHER, "a-Third-passphrase-9", "200");
    change("a-Third-passphrase-9", PASSWORD, "200");
    // The account has no such password, and a policy can take it from a user.
    let both = [("OldPassword", PASSWORD), ("NewPassword", OTHER)];
    alice.refused("ChangePassword", &both, "400 NotSupport.Account");
    let deny = json!({"Effect": "Deny", "Action": "ram:ChangePassword", "Resource": "*"});
    alice.policy("deny", &document(&[deny]));
    alice.attach("deny", ("User", "zhang"));
    change(PASSWORD, OTHER, "403 NoPermission");
    assert!(!world.audit.text().contains("passphrase"), "no password is recorded");
}

#[test]
fn an_access_key_finds_no_password_by_trying() {
    let world = World::new();
    let zhang = new_user(&world, "zhang");
    world.alice().ok("CreateLoginProfile", &[("UserName", "zhang"), ("Password", PASSWORD)]);
    let client = world.alice().with(&zhang);
    for _ in 0..10 {
        let wrong = [("OldPassword", "wrong"), ("NewPassword", OTHER)];
        client.refused("ChangePassword", &wrong, "400 InvalidParameter.OldPassword.Incorrect");
    }
    let right = [("OldPassword", PASSWORD), ("NewPassword", OTHER)];
    client.refused("ChangePassword", &right, "400 Throttling");
    // Nor from many networks: all strangers together have a limit, as at a sign-in.
    let wrong = [("OldPassword", "wrong"), ("NewPassword", OTHER)];
    for n in 10..STRANGERS_FAILURES_MAX {
        *world.source_ip.lock().unwrap() = format!("198.51.{}.{}", n / 5, n % 5);
        client.refused("ChangePassword", &wrong, "400 InvalidParameter.OldPassword.Incorrect");
    }
    *world.source_ip.lock().unwrap() = "192.0.2.200".to_owned();
    client.refused("ChangePassword", &right, "400 Throttling");
}

#[test]
fn permission_is_needed_on_the_user() {
    let world = World::new();
    let alice = world.alice();
    let admin = new_user(&world, "admin");
    alice.ok("CreateUser", &of("zhang"));
    alice.ok("CreateUser", &of("other"));
    allow(&world, "admin", "logins", "ram:CreateLoginProfile", "acs:ram:*:*:user/zhang");
    let client = alice.with(&admin);
    client.ok("CreateLoginProfile", &[("UserName", "zhang"), ("Password", PASSWORD)]);
    client.refused("CreateLoginProfile", &[("UserName", "other"), ("Password", PASSWORD)], "403 NoPermission");
    client.refused("GetPasswordPolicy", &[], "403 NoPermission");
    client.refused("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "d")], "403 NoPermission");
    allow(&world, "admin", "devices", "ram:CreateVirtualMFADevice", "acs:ram:*:*:mfa/*");
    client.ok("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "d")]);
}

/// A code that the app of a device shows, some steps from now.
fn code(world: &World, seed: &SecretBytes, steps: i64) -> String {
    let step = u64::try_from(world.now() / 30 + steps).unwrap();
    String::from_utf8(jomae_crypto::totp::code(seed, step).unwrap().expose().to_vec()).unwrap()
}

#[test]
fn a_device_lives() {
    let world = World::new();
    let alice = world.alice();
    alice.ok("CreateUser", &of("zhang"));
    alice.ok("CreateUser", &of("li"));
    let made = alice.ok("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "device1")]);
    let serial = format!("acs:ram::{}:mfa/device1", world.alice.account);
    assert_eq!(made["VirtualMFADevice"]["SerialNumber"], serial);
    let seed_text = made["VirtualMFADevice"]["Base32StringSeed"].as_str().unwrap();
    assert_eq!(seed_text.len(), 32);
    assert!(made["VirtualMFADevice"]["QRCodePNG"].as_str().unwrap().starts_with("iVBORw0KGgo"), "a PNG");
    let device = [("SerialNumber", serial.as_str())];
    let again = [("VirtualMFADeviceName", "device1")];
    alice.refused("CreateVirtualMFADevice", &again, "409 EntityAlreadyExists.VirtualMFADevice");
    let unbound = json!({"VirtualMFADevices": {"VirtualMFADevice": [{"SerialNumber": serial}]}});
    assert_eq!(alice.ok("ListVirtualMFADevices", &[]), unbound);
    alice.refused("GetUserMFAInfo", &of("zhang"), "404 EntityNotExist.User.MFADevice");
    alice.refused("UnbindMFADevice", &of("zhang"), "404 EntityNotExist.User.MFADevice");

    let seed = jomae_crypto::totp::seed_of_text(seed_text).unwrap();
    let bind = |user: &str, serial: &str, one: &str, two: &str| {
        let codes = [("AuthenticationCode1", one), ("AuthenticationCode2", two)];
        alice.call("BindMFADevice", &[&[("SerialNumber", serial), ("UserName", user)][..], &codes].concat())
    };
    let refused = |answer: crate::common::Answer, expected: &str| assert_eq!(crate::common::code_of(&answer), expected);
    let (before, now) = (code(&world, &seed, -1), code(&world, &seed, 0));
    refused(bind("zhang", &serial, &now, &before), "403 CheckAuthenticationCodeFail");
    refused(bind("zhang", &serial, &now, &now), "403 CheckAuthenticationCodeFail");
    refused(
        bind("zhang", &serial, &code(&world, &seed, -9), &code(&world, &seed, -8)),
        "403 CheckAuthenticationCodeFail",
    );
    refused(bind("zhang", &serial, "12345", "123456"), "400 InvalidParameter.AuthenticationCode.Format");
    refused(bind("nobody", &serial, &before, &now), "404 EntityNotExist.User");
    let foreign = format!("acs:ram::{}:mfa/device1", world.bob.account);
    refused(bind("zhang", &foreign, &before, &now), "404 EntityNotExist.VirtualMFADevice");
    assert_eq!(bind("zhang", &serial, &before, &now), Ok(json!({})));
    refused(bind("li", &serial, &before, &now), "409 EntityAlreadyExists.VirtualMFADevice.User");

    let info = json!({"MFADevice": {"SerialNumber": serial, "Type": "VMFA"}});
    assert_eq!(alice.ok("GetUserMFAInfo", &of("zhang")), info);
    let rows = alice.ok("ListVirtualMFADevices", &[])["VirtualMFADevices"]["VirtualMFADevice"].clone();
    assert_eq!(rows[0]["ActivateDate"], world.timestamp());
    assert_eq!(rows[0]["User"]["UserName"], "zhang");
    alice.refused("DeleteVirtualMFADevice", &device, "409 DeleteConflict.VirtualMFADevice.User");
    alice.refused("DeleteUser", &of("zhang"), "409 DeleteConflict.User.MFADevice");
    alice.ok("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "device2")]);
    let second = format!("acs:ram::{}:mfa/device2", world.alice.account);
    refused(bind("zhang", &second, &before, &now), "409 EntityAlreadyExists.User.MFADevice");

    assert_eq!(alice.ok("UnbindMFADevice", &of("zhang")), json!({"MFADevice": {"SerialNumber": serial}}));
    refused(bind("zhang", &serial, &before, &now), "403 CheckAuthenticationCodeFail");
    alice.done("DeleteVirtualMFADevice", &device);
    alice.refused("DeleteVirtualMFADevice", &device, "404 EntityNotExist.VirtualMFADevice");
    alice.done("DeleteUser", &of("zhang"));
    let text = world.audit.text();
    assert!(!text.contains(seed_text) && !text.contains(&now), "neither seed nor code is recorded");
    let stored = format!("{:?}", world.dump());
    assert!(!stored.contains(seed_text));
}

#[test]
fn names_of_devices_are_checked() {
    let world = World::new();
    let create = |name: &str, code: &str| {
        world.alice().refused("CreateVirtualMFADevice", &[("VirtualMFADeviceName", name)], code);
    };
    create("a b", "400 InvalidParameter.VirtualMFADeviceName.InvalidChars");
    create("a/b", "400 InvalidParameter.VirtualMFADeviceName.InvalidChars");
    create(&"x".repeat(65), "400 InvalidParameter.VirtualMFADeviceName.Length");
    for bad in ["device", "acs:ram::1:mfa/d", "acs:ram:*:1234567890123456:mfa/d"] {
        world.alice().refused("DeleteVirtualMFADevice", &[("SerialNumber", bad)], "400 InvalidParameter");
    }
}

//! People sign in: passwords, codes of MFA devices, lock-out, what a session may do, and when it ends.

use std::sync::{Arc, Mutex, atomic::Ordering};

use jomae_api::{
    actions,
    names::AccountId,
    time::Timestamp,
    wire::{Params, Request},
};
use jomae_core::{
    audit::Durability,
    identity::{Who, accounts},
    lane::Lane,
    ram::{
        login::{self, DeviceCountRecord, MfaDeviceRecord},
        sign_in::{
            Attempt, Duty, FAILURES_MAX, LOCK_SECS, NoCaller, NotSignedIn, STRANGERS_FAILURES_MAX, SignedIn,
            browser_token, verify_password, verify_totp,
        },
    },
    service::{Arrival, Reply},
    shares::Meter,
    wait::{Abandonment, Effort, Inline, Job, Pool},
};
use jomae_crypto::{secret::SecretBytes, totp};
use jomae_sim::block_on;
use serde_json::{Value, json};

use crate::{
    common::{ADDRESS, DAY, HANGZHOU, World, region},
    ram_users::new_user,
};

pub const PASSWORD: &str = "a-Long-passphrase-9";

/// Where somebody is who signs in.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub ip: &'a str,
    pub browser: Option<&'a str>,
}

pub const HOME: At<'static> = At { ip: ADDRESS, browser: None };

pub fn with_attempt<T>(
    world: &World,
    account: &AccountId,
    user: &str,
    at: At<'_>,
    act: impl FnOnce(&Attempt<'_>) -> T,
) -> T {
    // Each attempt a second after the one before: what a network may ask for is looked at elsewhere.
    let steady_ns = world.steady_ns.fetch_add(1_000_000_000, Ordering::SeqCst);
    act(&Attempt {
        account,
        user_name: user,
        source_ip: at.ip,
        browser: at.browser,
        user_agent: "browser/1",
        host: HANGZHOU,
        callback_url: "/keys",
        region: &region("cn-hangzhou"),
        now: Timestamp(world.now()),
        steady_ns,
    })
}

pub fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

/// Signs in to Alice's account, with a code if there is a device.
pub fn sign_in(
    world: &World,
    user: &str,
    password: &str,
    code: Option<&str>,
    at: At<'_>,
) -> Result<SignedIn, NotSignedIn> {
    let kms = &world.service.kms;
    with_attempt(world, &world.alice.account, user, at, |attempt| {
        block_on(async {
            let shown = verify_password(kms, attempt, secret(password)).await?;
            assert_eq!(shown.needs_second(), code.is_some());
            match code {
                Some(code) => verify_totp(kms, attempt, shown, &secret(code)).await.map_err(|(_, error)| error),
                None => shown.without_second(kms, attempt).await,
            }
        })
    })
}

pub fn caller_name(world: &World, signed_in: &SignedIn, action: &str) -> Result<String, NoCaller> {
    signed_in.caller(&world.service.kms.vault, action, Timestamp(world.now())).map(|caller| caller.arn())
}

/// A user of Alice's who may sign in.
pub fn person(world: &World, name: &str) {
    world.alice().ok("CreateUser", &[("UserName", name)]);
    world.alice().ok("CreateLoginProfile", &[("UserName", name), ("Password", PASSWORD)]);
}

/// The seed and the serial number of a new device.
pub fn device(world: &World, name: &str) -> (SecretBytes, String) {
    let made = world.alice().ok("CreateVirtualMFADevice", &[("VirtualMFADeviceName", name)]);
    let device = &made["VirtualMFADevice"];
    let seed = totp::seed_of_text(device["Base32StringSeed"].as_str().unwrap()).unwrap();
    (seed, device["SerialNumber"].as_str().unwrap().to_owned())
}

fn code(world: &World, seed: &SecretBytes, steps: i64) -> String {
    let step = u64::try_from(world.now() / 30 + steps).unwrap();
    String::from_utf8(totp::code(seed, step).unwrap().expose().to_vec()).unwrap()
}

pub fn bind(world: &World, user: &str, serial: &str, seed: &SecretBytes) {
    let (one, two) = (code(world, seed, -1), code(world, seed, 0));
    let codes = [("AuthenticationCode1", one.as_str()), ("AuthenticationCode2", two.as_str())];
    world.alice().done("BindMFADevice", &[&[("SerialNumber", serial), ("UserName", user)][..], &codes].concat());
}

pub fn newest_event(world: &World) -> Value {
    world.audit.events().pop().unwrap().0
}

#[test]
fn a_password_opens_a_session_of_the_user() {
    let world = World::new();
    person(&world, "alice.w");
    let signed_in = sign_in(&world, "alice.w", PASSWORD, None, HOME).unwrap();
    let caller = signed_in.caller(&world.service.kms.vault, "ListKeys", Timestamp(world.now())).unwrap();
    assert_eq!(caller.arn(), format!("acs:ram::{}:user/alice.w", world.alice.account));
    assert!(caller.access_key_id.is_empty());
    assert_eq!(caller.signed_in.map(|facts| (facts.at, facts.mfa)), Some((world.now(), false)));
    assert_eq!(signed_in.account(), &world.alice.account);
    let event = newest_event(&world);
    assert_eq!(event["eventName"], "ConsoleSignin");
    assert_eq!(event["eventType"], "ConsoleSignin");
    assert_eq!(event["serviceName"], "AasSub");
    assert_eq!(event["userIdentity"]["type"], "ram-user");
    assert_eq!(event["userIdentity"]["userName"], "alice.w");
    assert_eq!(event["additionalEventData"], json!({"callbackUrl": "/keys", "mfaChecked": "false"}));
    assert_eq!((&event["errorCode"], &event["errorMessage"]), (&json!(""), &json!("")));
    for absent in ["apiVersion", "eventRW", "requestParameters"] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
    assert!(event["userIdentity"].get("accessKeyId").is_none());
}

#[test]
fn who_is_wrong_is_not_told_in_what() {
    let world = World::new();
    person(&world, "bob.w");
    world.alice().ok("CreateUser", &[("UserName", "no.login")]);
    for (user, password) in
        [("bob.w", "wrong"), ("no.login", PASSWORD), ("nobody", PASSWORD), ("../x", PASSWORD), ("", "")]
    {
        assert!(matches!(sign_in(&world, user, password, None, HOME), Err(NotSignedIn::Wrong)), "{user}");
        let event = newest_event(&world);
        assert_eq!(event["errorCode"], "LoginFailed");
        assert!(!event["errorMessage"].as_str().unwrap().is_empty());
        let known = if user == "bob.w" { "bob.w" } else { "" };
        assert_eq!(event["userIdentity"]["userName"], known, "what was typed may be anything");
    }
    // The account of another has no such user.
    let kms = &world.service.kms;
    let elsewhere = with_attempt(&world, &world.bob.account, "bob.w", HOME, |attempt| {
        block_on(verify_password(kms, attempt, secret(PASSWORD))).err()
    });
    assert!(matches!(elsewhere, Some(NotSignedIn::Wrong)));
    // Of an account that nobody has, it is recorded too, as others have to wait for that.
    let (events, nobodys) = (world.audit.len(), AccountId::new("1999999999999999").unwrap());
    let nowhere = with_attempt(&world, &nobodys, "bob.w", HOME, |attempt| {
        block_on(verify_password(kms, attempt, secret(PASSWORD))).err()
    });
    assert!(matches!(nowhere, Some(NotSignedIn::Wrong)));
    assert_eq!(world.audit.len(), events + 1);
    assert_eq!(newest_event(&world)["userIdentity"]["userName"], "");
    assert!(!world.audit.text().contains(PASSWORD));
}

/// Counts the passwords that are hashed, and by the turn of which account.
#[derive(Default)]
struct Hashes(Arc<Mutex<Vec<AccountId>>>);

impl Pool for Hashes {
    fn run(&self, effort: Effort, account: &AccountId, job: Box<dyn Job>) {
        assert_eq!(effort, Effort::Password);
        self.0.lock().unwrap().push(account.clone());
        Inline.run(effort, account, job);
    }
}

/// Whatever is wrong: one password is hashed, and one event waits for the disk, before anybody is answered.
#[test]
fn work_does_not_tell_who_is_there() {
    let mut world = World::new();
    person(&world, "bob.w");
    world.alice().ok("CreateUser", &[("UserName", "no.login")]);
    let hashes = Arc::new(Mutex::default());
    world.service.kms.pool = Arc::new(Hashes(Arc::clone(&hashes)));
    let nobodys = AccountId::new("1999999999999999").unwrap();
    let (alice, bob) = (world.alice.account.clone(), world.bob.account.clone());
    for (account, user) in [
        (&alice, "bob.w"),
        (&alice, "no.login"),
        (&alice, "nobody"),
        (&alice, "../x"),
        (&bob, "bob.w"),
        (&nobodys, "x"),
    ] {
        hashes.lock().unwrap().clear();
        let before = world.audit.events().len();
        let kms = &world.service.kms;
        let answer = with_attempt(&world, account, user, HOME, |attempt| {
            block_on(verify_password(kms, attempt, secret("wrong"))).err()
        });
        assert!(matches!(answer, Some(NotSignedIn::Wrong)), "{user}");
        assert_eq!(*hashes.lock().unwrap(), std::slice::from_ref(account), "{user}");
        let events = world.audit.events().split_off(before);
        let [(event, durability)] = events.as_slice() else { panic!("{user}: {events:?}") };
        assert_eq!((&event["eventName"], *durability), (&json!("ConsoleSignin"), Durability::OnDisk), "{user}");
    }
}

#[test]
fn a_code_is_accepted_once() {
    let world = World::new();
    person(&world, "carol");
    let (seed, serial) = device(&world, "carols");
    bind(&world, "carol", &serial, &seed);
    // The codes that bound it are used up.
    let used = code(&world, &seed, 0);
    assert!(matches!(sign_in(&world, "carol", PASSWORD, Some(&used), HOME), Err(NotSignedIn::WrongCode)));
    world.advance(30);
    let shown = code(&world, &seed, 0);
    let signed_in = sign_in(&world, "carol", PASSWORD, Some(&shown), HOME).unwrap();
    assert!(signed_in.facts().mfa);
    assert_eq!(newest_event(&world)["additionalEventData"]["mfaChecked"], "true");
    assert!(matches!(sign_in(&world, "carol", PASSWORD, Some(&shown), HOME), Err(NotSignedIn::WrongCode)));
    assert_eq!(newest_event(&world)["errorCode"], "CheckAuthenticationCodeFail");
    // Neither is an older one, though the clock may be off by a step.
    let older = code(&world, &seed, -1);
    assert!(matches!(sign_in(&world, "carol", PASSWORD, Some(&older), HOME), Err(NotSignedIn::WrongCode)));
    assert!(sign_in(&world, "carol", PASSWORD, Some(&code(&world, &seed, 1)), HOME).is_ok(), "one step ahead");
    for wrong in ["", "12345", "1234567", "abcdef"] {
        assert!(matches!(sign_in(&world, "carol", PASSWORD, Some(wrong), HOME), Err(NotSignedIn::WrongCode)));
    }
    let text = world.audit.text();
    assert!(!text.contains(&shown) && !text.contains(std::str::from_utf8(totp::seed_text(&seed).expose()).unwrap()));
}

#[test]
fn two_at_once_cannot_use_one_code() {
    let world = Arc::new(World::new());
    person(&world, "olga");
    let (seed, serial) = device(&world, "olgas");
    bind(&world, "olga", &serial, &seed);
    world.advance(30);
    let shown = code(&world, &seed, 0);
    let (elsewhere, same) = (Arc::clone(&world), shown.clone());
    world.store.before_next_commit(move || {
        assert!(sign_in(&elsewhere, "olga", PASSWORD, Some(&same), HOME).is_ok());
    });
    assert!(matches!(sign_in(&world, "olga", PASSWORD, Some(&shown), HOME), Err(NotSignedIn::WrongCode)));
}

#[test]
fn a_device_cannot_be_passed_by() {
    let world = World::new();
    person(&world, "dave");
    let kms = &world.service.kms;
    let (seed, serial) = device(&world, "daves");
    let result = with_attempt(&world, &world.alice.account, "dave", HOME, |attempt| {
        let shown = block_on(verify_password(kms, attempt, secret(PASSWORD))).unwrap_or_else(|_| panic!("right"));
        assert!(!shown.needs_second());
        // Bound between password and session.
        bind(&world, "dave", &serial, &seed);
        block_on(shown.without_second(kms, attempt))
    });
    assert!(matches!(result, Err(NotSignedIn::WrongCode)));
}

#[test]
fn a_place_is_locked_out_and_no_other() {
    let world = World::new();
    person(&world, "erin");
    let (home, office) = (HOME, At { ip: "198.51.100.9", browser: None });
    for _ in 0..FAILURES_MAX {
        assert!(matches!(sign_in(&world, "erin", "wrong", None, home), Err(NotSignedIn::Wrong)));
    }
    let events = world.audit.len();
    for password in [PASSWORD, "wrong"] {
        assert!(matches!(sign_in(&world, "erin", password, None, home), Err(NotSignedIn::Locked(LOCK_SECS))));
    }
    assert_eq!(world.audit.len(), events, "what is not looked at does not fill the log");
    assert!(sign_in(&world, "erin", PASSWORD, None, office).is_ok(), "no other network");
    world.advance(LOCK_SECS);
    assert!(sign_in(&world, "erin", PASSWORD, None, home).is_ok());
}

#[test]
fn the_accounts_rules_say_how_many_mistakes_lock_out() {
    let world = World::new();
    person(&world, "frank");
    world.alice().ok("SetPasswordPolicy", &[("MaxLoginAttemps", "2")]);
    for _ in 0..2 {
        assert!(matches!(sign_in(&world, "frank", "wrong", None, HOME), Err(NotSignedIn::Wrong)));
    }
    assert!(matches!(sign_in(&world, "frank", PASSWORD, None, HOME), Err(NotSignedIn::Locked(_))));
    // Another password begins anew.
    let other = "another-Long-passphrase-9";
    world.alice().done("UpdateLoginProfile", &[("UserName", "frank"), ("Password", other)]);
    assert!(sign_in(&world, "frank", other, None, HOME).is_ok());
}

#[test]
fn a_stranger_in_the_same_network_locks_nobodys_browser_out() {
    let world = World::new();
    person(&world, "grace");
    let signed_in = sign_in(&world, "grace", PASSWORD, None, HOME).unwrap();
    let token = browser_token(world.service.kms.vault.keyring(), &signed_in).unwrap().unwrap();
    for _ in 0..FAILURES_MAX {
        assert!(matches!(sign_in(&world, "grace", "wrong", None, HOME), Err(NotSignedIn::Wrong)));
    }
    assert!(matches!(sign_in(&world, "grace", PASSWORD, None, HOME), Err(NotSignedIn::Locked(_))));
    let own = At { browser: Some(&token), ..HOME };
    assert!(sign_in(&world, "grace", PASSWORD, None, own).is_ok());
    // What it shows opens nothing, is nobody else's, and ends.
    person(&world, "heidi");
    assert!(matches!(sign_in(&world, "grace", "wrong", None, own), Err(NotSignedIn::Wrong)));
    for _ in 0..FAILURES_MAX {
        assert!(matches!(sign_in(&world, "heidi", "wrong", None, own), Err(NotSignedIn::Wrong)));
    }
    assert!(matches!(sign_in(&world, "heidi", PASSWORD, None, HOME), Err(NotSignedIn::Locked(_))), "heidi's network");
    let changed = format!("{token}x");
    for forged in ["", "x", &changed, &"x".repeat(10_000)] {
        let at = At { browser: Some(forged), ..HOME };
        assert!(matches!(sign_in(&world, "grace", PASSWORD, None, at), Err(NotSignedIn::Locked(_))), "{forged}");
    }
}

#[test]
fn many_networks_together_have_few_guesses_and_known_ones_stay_open() {
    let world = World::new();
    person(&world, "ivan");
    sign_in(&world, "ivan", PASSWORD, None, HOME).unwrap();
    for n in 0..STRANGERS_FAILURES_MAX {
        let ip = format!("192.0.2.{n}");
        let at = At { ip: &ip, browser: None };
        assert!(matches!(sign_in(&world, "ivan", "wrong", None, at), Err(NotSignedIn::Wrong)), "{n}");
    }
    let new = At { ip: "192.0.2.200", browser: None };
    assert!(matches!(sign_in(&world, "ivan", PASSWORD, None, new), Err(NotSignedIn::Locked(_))));
    assert!(sign_in(&world, "ivan", PASSWORD, None, HOME).is_ok(), "from where he signs in he still does");
}

#[test]
fn a_network_has_few_passwords_looked_at() {
    let world = World::new();
    person(&world, "judy");
    let mut refused = None;
    for n in 0..100 {
        world.steady_ns.store(0, Ordering::SeqCst);
        let name = format!("nobody-{n}");
        if let Err(NotSignedIn::Locked(secs)) = sign_in(&world, &name, "wrong", None, HOME) {
            refused = Some((n, secs));
            break;
        }
    }
    assert_eq!(refused, Some((10, 1)));
}

/// What ends the sessions of a user.
type Ending<'e> = &'e dyn Fn(&str);

#[test]
fn a_session_ends_with_what_it_rests_on() {
    let world = World::new();
    let alice = world.alice();
    let other = "another-Long-passphrase-9";
    let endings: [(&str, Ending<'_>); 3] = [
        ("password", &|user| alice.done("UpdateLoginProfile", &[("UserName", user), ("Password", other)])),
        ("profile", &|user| alice.done("DeleteLoginProfile", &[("UserName", user)])),
        ("user", &|user| {
            alice.done("DeleteLoginProfile", &[("UserName", user)]);
            alice.done("DeleteUser", &[("UserName", user)]);
        }),
    ];
    for (user, end) in endings {
        person(&world, user);
        let signed_in = sign_in(&world, user, PASSWORD, None, HOME).unwrap();
        assert!(caller_name(&world, &signed_in, "ListKeys").is_ok());
        end(user);
        assert!(matches!(caller_name(&world, &signed_in, "ListKeys"), Err(NoCaller::Ended)), "{user}");
    }
    // A profile made anew, or a user under the old name, opens no old session.
    person(&world, "kim");
    let signed_in = sign_in(&world, "kim", PASSWORD, None, HOME).unwrap();
    alice.done("DeleteLoginProfile", &[("UserName", "kim")]);
    alice.ok("CreateLoginProfile", &[("UserName", "kim"), ("Password", PASSWORD)]);
    assert!(matches!(caller_name(&world, &signed_in, "ListKeys"), Err(NoCaller::Ended)));
    // A renamed user goes on, under the new name.
    let signed_in = sign_in(&world, "kim", PASSWORD, None, HOME).unwrap();
    alice.ok("UpdateUser", &[("UserName", "kim"), ("NewUserName", "kim2")]);
    assert!(caller_name(&world, &signed_in, "ListKeys").unwrap().ends_with(":user/kim2"));
    // And what was opened with a device ends with it.
    let (seed, serial) = device(&world, "kims");
    bind(&world, "kim2", &serial, &seed);
    world.advance(30);
    let signed_in = sign_in(&world, "kim2", PASSWORD, Some(&code(&world, &seed, 0)), HOME).unwrap();
    alice.ok("UnbindMFADevice", &[("UserName", "kim2")]);
    assert!(matches!(caller_name(&world, &signed_in, "ListKeys"), Err(NoCaller::Ended)));
}

#[test]
fn what_must_be_done_first_is_all_that_can_be_done() {
    let world = World::new();
    let alice = world.alice();
    person(&world, "leo");
    let profile = [("UserName", "leo"), ("PasswordResetRequired", "true"), ("MFABindRequired", "true")];
    alice.done("UpdateLoginProfile", &profile);
    let signed_in = sign_in(&world, "leo", PASSWORD, None, HOME).unwrap();
    assert!(matches!(caller_name(&world, &signed_in, "ListKeys"), Err(NoCaller::PasswordMustChange)));
    assert!(matches!(caller_name(&world, &signed_in, "BindMFADevice"), Err(NoCaller::PasswordMustChange)));
    assert!(caller_name(&world, &signed_in, "ChangePassword").is_ok());
    alice.done("UpdateLoginProfile", &[("UserName", "leo"), ("PasswordResetRequired", "false")]);
    assert!(matches!(caller_name(&world, &signed_in, "ListKeys"), Err(NoCaller::DeviceMustBeBound)));
    assert!(caller_name(&world, &signed_in, "BindMFADevice").is_ok());
    let (seed, serial) = device(&world, "leos");
    bind(&world, "leo", &serial, &seed);
    assert!(caller_name(&world, &signed_in, "ListKeys").is_ok());
}

#[test]
fn old_passwords_have_to_be_changed_or_open_nothing() {
    let world = World::new();
    person(&world, "mia");
    world.alice().ok("SetPasswordPolicy", &[("MaxPasswordAge", "30")]);
    world.advance(30 * DAY + 1);
    let signed_in = sign_in(&world, "mia", PASSWORD, None, HOME).unwrap();
    assert!(matches!(caller_name(&world, &signed_in, "ListKeys"), Err(NoCaller::PasswordMustChange)));
    world.alice().ok("SetPasswordPolicy", &[("HardExpiry", "true")]);
    assert!(matches!(sign_in(&world, "mia", PASSWORD, None, HOME), Err(NotSignedIn::Expired)));
    assert!(
        matches!(sign_in(&world, "mia", "wrong", None, HOME), Err(NotSignedIn::Wrong)),
        "only told to who knows it"
    );
}

#[test]
fn the_account_itself_signs_in_otherwise() {
    let world = World::new();
    let kms = &world.service.kms;
    let signed_in =
        with_attempt(&world, &world.alice.account, "", HOME, |attempt| block_on(SignedIn::root(kms, attempt)).unwrap());
    let caller = signed_in.caller(&kms.vault, "ListKeys", Timestamp(world.now())).unwrap();
    assert!(matches!(caller.who, Who::Root));
    assert_eq!(caller.name(), world.alice.account.as_str());
    let event = newest_event(&world);
    assert_eq!(event["serviceName"], "AasCustomer");
    assert_eq!(event["userIdentity"]["type"], "root-account");
    assert_eq!(event["additionalEventData"], json!({"loginAccount": "root", "isMFAChecked": "false"}));
    assert!(event.get("errorCode").is_none());
    assert!(browser_token(kms.vault.keyring(), &signed_in).unwrap().is_none());
}

#[test]
fn policies_see_whether_a_second_factor_was_shown() {
    let world = World::new();
    let credentials = new_user(&world, "nina");
    world.alice().ok("CreateLoginProfile", &[("UserName", "nina"), ("Password", PASSWORD)]);
    let document = json!({"Version": "1", "Statement": [{
        "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*",
        "Condition": {"Bool": {"acs:MFAPresent": "true"}},
    }]});
    world.alice().policy("with-mfa", &document.to_string());
    world.alice().attach("with-mfa", ("User", "nina"));
    // An access key has no such condition.
    world.alice().with(&credentials).refused("ListKeys", &[], "403 Forbidden.NoPermission");
    let without = sign_in(&world, "nina", PASSWORD, None, HOME).unwrap();
    assert!(!may_list_keys(&world, &without));
    let (seed, serial) = device(&world, "ninas");
    bind(&world, "nina", &serial, &seed);
    world.advance(30);
    let with = sign_in(&world, "nina", PASSWORD, Some(&code(&world, &seed, 0)), HOME).unwrap();
    assert!(may_list_keys(&world, &with));
}

pub fn may_list_keys(world: &World, signed_in: &SignedIn) -> bool {
    run_as(world, signed_in, "ListKeys", &[]).is_ok()
}

/// Calls an action as a page of the console does. The code of a refusal.
pub fn run_as(world: &World, signed_in: &SignedIn, action: &str, params: &[(&str, &str)]) -> Result<(), String> {
    let reply = reply_as(world, signed_in, action, params);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    if reply.status == 200 { Ok(()) } else { Err(body["Code"].as_str().unwrap().to_owned()) }
}

pub fn reply_as(world: &World, signed_in: &SignedIn, action: &str, params: &[(&str, &str)]) -> Reply {
    let now = Timestamp(world.now());
    let caller = signed_in.caller(&world.service.kms.vault, action, now).unwrap();
    let api = actions::find(action).unwrap().api();
    let params = Params::of(params).unwrap();
    let request = Request { method: "POST", path: "/", query: "", headers: &[], body: &[] };
    let arrival = Arrival {
        source_ip: ADDRESS,
        now,
        steady_ns: 0,
        abandonment: &Abandonment::default(),
        lane: &Lane::default(),
        meter: &Meter::default(),
    };
    block_on(world.service.answer_signed_in(&caller, (api, action), &params, &request, arrival))
}

#[test]
fn who_must_bind_a_device_needs_no_policy_for_that_alone() {
    let world = World::new();
    person(&world, "olga");
    person(&world, "paul");
    world.alice().done("UpdateLoginProfile", &[("UserName", "olga"), ("MFABindRequired", "true")]);
    let olga = sign_in(&world, "olga", PASSWORD, None, HOME).unwrap();
    let standing = olga.standing(&world.service.kms.vault, Timestamp(world.now())).unwrap();
    assert_eq!(standing.duty, Some(Duty::BindDevice));
    // Nobody else's, and nobody who need not.
    let paul = sign_in(&world, "paul", PASSWORD, None, HOME).unwrap();
    let of = |user| [("UserName", user)];
    let new = [("VirtualMFADeviceName", "olgas")];
    let denied = Err("NoPermission".to_owned());
    assert_eq!(run_as(&world, &paul, "CreateVirtualMFADevice", &new), denied);
    assert_eq!(run_as(&world, &paul, "GetUserMFAInfo", &of("paul")), denied);
    assert_eq!(run_as(&world, &olga, "GetUserMFAInfo", &of("paul")), denied);
    assert!(run_as(&world, &olga, "CreateVirtualMFADevice", &new).is_ok());
    let none = run_as(&world, &olga, "GetUserMFAInfo", &of("olga"));
    assert_eq!(none, Err("EntityNotExist.User.MFADevice".to_owned()));
    // One that was left unbound is replaced, and counts once.
    let stored = || {
        let at = login::path::device(&world.alice.account, "olgas");
        world.service.kms.vault.reading().get::<MfaDeviceRecord>(&at).unwrap().unwrap().seed.0.clone()
    };
    let before = stored();
    assert!(run_as(&world, &olga, "CreateVirtualMFADevice", &new).is_ok());
    assert_ne!(stored(), before, "another seed");
    let count = login::path::device_count(&world.alice.account);
    let count = world.service.kms.vault.reading().get::<DeviceCountRecord>(&count).unwrap().unwrap().devices;
    assert_eq!(count, 1);
    // Not by others, and not one that somebody has.
    world.alice().refused("CreateVirtualMFADevice", &new, "409 EntityAlreadyExists.VirtualMFADevice");
    let (seed, serial) = device(&world, "pauls");
    bind(&world, "paul", &serial, &seed);
    let pauls = run_as(&world, &olga, "CreateVirtualMFADevice", &[("VirtualMFADeviceName", "pauls")]);
    assert_eq!(pauls, Err("EntityAlreadyExists.VirtualMFADevice".to_owned()));
    // A policy can still deny it.
    let document = json!({"Version": "1", "Statement": [{"Effect": "Deny", "Action": "ram:*", "Resource": "*"}]});
    world.alice().policy("no-ram", &document.to_string());
    world.alice().attach("no-ram", ("User", "olga"));
    let other = [("VirtualMFADeviceName", "other")];
    assert_eq!(run_as(&world, &olga, "CreateVirtualMFADevice", &other), denied);
}

#[test]
fn whoever_changes_the_password_goes_on_and_nobody_else() {
    let world = World::new();
    person(&world, "rita");
    let kms = &world.service.kms;
    let (here, there) = (
        sign_in(&world, "rita", PASSWORD, None, HOME).unwrap(),
        sign_in(&world, "rita", PASSWORD, None, HOME).unwrap(),
    );
    let new = "another-Passphrase-1";
    run_as(&world, &here, "ChangePassword", &[("OldPassword", PASSWORD), ("NewPassword", new)]).unwrap();
    for ended in [&here, &there] {
        assert!(matches!(caller_name(&world, ended, "ListKeys"), Err(NoCaller::Ended)));
    }
    assert!(block_on(here.renewed(kms, secret(PASSWORD))).unwrap().is_none());
    let renewed = block_on(here.renewed(kms, secret(new))).unwrap().unwrap();
    assert!(caller_name(&world, &renewed, "ListKeys").is_ok());
    assert_eq!(renewed.facts(), here.facts());
    // What began with a device does not go on without it.
    let (seed, serial) = device(&world, "ritas");
    bind(&world, "rita", &serial, &seed);
    world.advance(30);
    let with = sign_in(&world, "rita", new, Some(&code(&world, &seed, 0)), HOME).unwrap();
    world.alice().ok("UnbindMFADevice", &[("UserName", "rita")]);
    assert!(block_on(with.renewed(kms, secret(new))).unwrap().is_none());
}

#[test]
fn a_link_lets_a_user_in_without_a_login_profile() {
    let world = World::new();
    world.alice().ok("CreateUser", &[("UserName", "sven")]);
    let (kms, account) = (&world.service.kms, &world.alice.account);
    let sven = jomae_core::identity::person(&kms.vault, account, Some("sven")).unwrap().unwrap();
    let signed_in = with_attempt(&world, account, "", HOME, |attempt| {
        block_on(SignedIn::by_link(kms, attempt, &sven)).unwrap().unwrap()
    });
    let event = newest_event(&world);
    assert_eq!(event["additionalEventData"], json!({"callbackUrl": "/keys", "mfaChecked": "false"}));
    assert_eq!(event["userIdentity"]["userName"], "sven");
    assert!(caller_name(&world, &signed_in, "ListKeys").unwrap().ends_with(":user/sven"));
    with_attempt(&world, account, "", HOME, |attempt| block_on(SignedIn::leave(kms, attempt, &sven)).unwrap());
    let event = newest_event(&world);
    assert_eq!((&event["eventName"], &event["eventType"]), (&json!("ConsoleSignout"), &json!("ConsoleSignout")));
    assert_eq!(event["serviceName"], "AasSub");
    assert!(event.get("additionalEventData").is_none());
    world.alice().done("DeleteUser", &[("UserName", "sven")]);
    assert!(matches!(caller_name(&world, &signed_in, "ListKeys"), Err(NoCaller::Ended)));
}

#[test]
fn accounts_are_found_by_number_and_name() {
    let world = World::new();
    let vault = &world.service.kms.vault;
    let alice = &world.alice.account;
    let named = |text: &str| accounts::named(vault, text).unwrap();
    assert_eq!(named(alice.as_str()).as_ref(), Some(alice));
    let (_, name) = accounts::list(vault).unwrap().into_iter().find(|(account, _)| account == alice).unwrap();
    assert_eq!(named(&name.name).as_ref(), Some(alice));
    for nobody in ["0000000000000000", "", "nobody's", "a\nb"] {
        assert!(named(nobody).is_none(), "{nobody:?}");
    }
}

// Signing in to the console in Debian's chromium: passwords, codes, what has to be done first, lock-out, when sessions end.
"use strict";

const assert = require("node:assert");
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { Stage, clean, play, press, texts } = require("./stage");

const stage = new Stage(process.argv[2]);
const PASSWORD = "a-Long-passphrase-9";
const hostile = `"'><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">{{7*7}}&lt;`;
let account;
// Of devices.
const seeds = [];

const pathOf = (page) => new URL(page.url()).pathname;

// A user with a login profile.
function user(name, more = {}) {
    stage.call("CreateUser", { UserName: name });
    stage.call("CreateLoginProfile", { UserName: name, Password: PASSWORD, ...more });
}

function allow(name, statement) {
    const document = JSON.stringify({ Version: "1", Statement: [{ Effect: "Allow", Resource: "*", ...statement }] });
    stage.call("CreatePolicy", { PolicyName: name, PolicyDocument: document });
    stage.call("AttachPolicyToUser", { PolicyName: name, PolicyType: "Custom", UserName: name });
}

// A code of TOTP (RFC 6238), so many steps from now.
function code(seed, steps) {
    const bits = [...seed.trim()].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
    const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
    const step = Buffer.alloc(8);
    step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
    const mac = crypto.createHmac("sha1", key).update(step).digest();
    const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
    return String(number % 1_000_000).padStart(6, "0");
}

// What comes of a name and a password, on the page where one is.
async function show(page, name, password = PASSWORD) {
    await page.fill("[name=account]", "");
    await page.fill("[name=user]", name);
    await page.fill("[name=password]", password);
    await press(page, "/sign-in/password");
}

async function signedIn(name, { lang = "en", password = PASSWORD, where = "/sessions", context } = {}) {
    const opened = context ? { context, page: await context.newPage() } : await stage.browserOf(lang);
    await opened.page.goto(stage.base + where);
    assert.equal(pathOf(opened.page), "/sign-in");
    await show(opened.page, name, password);
    return opened;
}

const events = (name) => stage.call("LookupEvents", {
    "LookupAttribute.1.Key": "EventName", "LookupAttribute.1.Value": name, MaxResults: "50",
}).Events;

async function aPassword(lang) {
    const name = "taro-" + lang;
    user(name);
    const { context, page } = await stage.browserOf(lang);
    await page.goto(stage.base + "/audit?by=EventName&value=CreateKey");
    assert.equal(pathOf(page), "/sign-in");
    await clean(page);
    // Nobody is told what is wrong, and what was typed is still there, but for the password.
    for (const [account_, name_, password] of [["", name, "wrong"], ["", "nobody", PASSWORD], ["9".repeat(16), name, PASSWORD]]) {
        await page.fill("[name=account]", account_);
        await page.fill("[name=user]", name_);
        await page.fill("[name=password]", password);
        await press(page, "/sign-in/password");
        assert.equal(await page.textContent(".refused"), texts[lang]["sign-in-wrong"]);
        assert.deepEqual(
            [await page.inputValue("[name=account]"), await page.inputValue("[name=user]"), await page.inputValue("[name=password]")],
            [account_, name_, ""],
        );
    }
    await clean(page);
    // As the cloud's users type their name; and the page is the one that was asked for.
    await page.fill("[name=account]", "");
    await page.fill("[name=user]", `${name}@${account}.onaliyun.com`);
    await page.fill("[name=password]", PASSWORD);
    await press(page, "/sign-in/password");
    assert.equal(new URL(page.url()).search, "?by=EventName&value=CreateKey");
    assert.match(await page.textContent(".account"), new RegExp(name));
    await page.goto(stage.base + "/me");
    assert.equal(await page.textContent("h1"), texts[lang]["me-title"]);
    await clean(page);
    const cookies = (await context.cookies()).filter((cookie) => cookie.name.startsWith("__Host-"));
    assert(cookies.every((cookie) => cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict"));
    const found = events("ConsoleSignin").filter((event) => event.userIdentity.userName === name);
    assert.deepEqual(found.map((event) => event.errorCode), ["", "LoginFailed"]);
    assert.equal(found[0].additionalEventData.callbackUrl, "/audit?by=EventName&value=CreateKey");
    assert.equal(found[0].additionalEventData.mfaChecked, "false");
    await press(page, "/sign-out");
    const [left] = events("ConsoleSignout");
    assert.deepEqual([left.eventType, left.serviceName, left.userIdentity.userName], ["ConsoleSignout", "AasSub", name]);
    await context.close();
}

async function anotherPassword() {
    user("saburo", { PasswordResetRequired: "true" });
    const { context, page } = await signedIn("saburo", { lang: "ja", where: "/keys?state=Enabled" });
    // Nothing else is open until the password is another one.
    assert.equal(pathOf(page), "/me");
    assert.equal(await page.textContent(".warning"), texts.ja["me-must-change"]);
    await clean(page);
    await page.goto(stage.base + "/people");
    assert.equal(pathOf(page), "/me");
    await page.goto(stage.base + "/keys?state=Enabled");
    const elsewhere = await signedIn("saburo");
    const change = async (old, fresh, again = fresh) => {
        await page.fill("[name=old_password]", old);
        await page.fill("[name=new_password]", fresh);
        await page.fill("[name=new_password_again]", again);
        await press(page, "/me/password");
    };
    for (const [old, fresh, again, why] of [
        [PASSWORD, "another-Passphrase-1", "another-Passphrase-2", "error-passwords-differ"],
        ["wrong", "another-Passphrase-1", undefined, "error-InvalidParameter-OldPassword-Incorrect"],
        [PASSWORD, "short", undefined, "error-InvalidParameter-NewPassword-TooWeak"],
    ]) {
        await change(old, fresh, again);
        assert((await page.textContent("[role=alert]")).includes(texts.ja[why]), why);
        await clean(page);
        const shown = await page.content();
        assert(!shown.includes(PASSWORD) && !shown.includes("another-Passphrase"), "a page repeats a password");
    }
    const before = await context.cookies();
    await change(PASSWORD, "another-Passphrase-1");
    assert.equal(new URL(page.url()).search, "?state=Enabled", "the page that was asked for: " + page.url());
    // Whoever has the cookie of before, and whoever has signed in elsewhere, is out.
    const thief = await stage.browserOf();
    await thief.context.addCookies(before);
    for (const { page } of [thief, elsewhere]) {
        await page.goto(stage.base + "/sessions");
        assert.equal(pathOf(page), "/sign-in");
    }
    await show(elsewhere.page, "saburo");
    assert.equal(await elsewhere.page.textContent(".refused"), texts.en["sign-in-wrong"]);
    await show(elsewhere.page, "saburo", "another-Passphrase-1");
    assert.equal(pathOf(elsewhere.page), "/sessions");
    // Once more, by choice.
    await page.goto(stage.base + "/me");
    await change("another-Passphrase-1", "another-Passphrase-2");
    assert.equal(await page.textContent(".done"), texts.ja["done-password-changed"]);
    await elsewhere.page.reload();
    assert.equal(pathOf(elsewhere.page), "/sign-in");
    for (const open of [context, thief.context, elsewhere.context]) await open.close();
}

async function aDevice() {
    user("shiro", { MFABindRequired: "true" });
    allow("shiro", { Action: "kms:ListKeys", Condition: { Bool: { "acs:MFAPresent": "true" } } });
    // One that was made in another session and left unbound is replaced, so that they do not pile up.
    const earlier = await signedIn("shiro", { where: "/keys" });
    await press(earlier.page, "/me/device/new");
    await earlier.page.waitForSelector("img.qr");
    const left = await earlier.page.locator("#device ~ dl dd code").first().textContent();
    await earlier.context.close();
    const { context, page } = await signedIn("shiro", { lang: "zh-CN", where: "/keys" });
    assert.equal(pathOf(page), "/me");
    assert.equal(await page.textContent(".warning"), texts["zh-CN"]["me-must-bind"]);
    await clean(page);
    // No policy lets this user do it: that the login profile asks for it is enough.
    await press(page, "/me/device/new");
    await page.waitForSelector("img.qr");
    assert(await page.evaluate(() => document.querySelector("img.qr").naturalWidth > 100), "the picture is shown");
    await clean(page);
    const seed = await page.locator("#device ~ dl dd code").first().textContent();
    seeds.push(seed);
    assert.notEqual(seed, left, "whoever has seen the seed of before could give its codes");
    const devices = stage.call("ListVirtualMFADevices", {}).VirtualMFADevices.VirtualMFADevice;
    assert.equal(devices.filter((device) => device.SerialNumber.includes(":mfa/shiro-")).length, 1);
    const bind = async (one, two) => {
        await page.fill("[name=code_1]", one);
        await page.fill("[name=code_2]", two);
        await press(page, "/me/device/bind");
    };
    await bind(code(seed, 10), code(seed, 11));
    assert((await page.textContent(".refused")).includes(texts["zh-CN"]["error-CheckAuthenticationCodeFail"]));
    assert.equal(await page.locator("#device ~ dl dd code").first().textContent(), seed, "the device is still the same");
    await clean(page);
    await bind(code(seed, -1), code(seed, 0));
    assert.equal(pathOf(page), "/keys");
    // This session began without a code, and the policy asks for one.
    assert((await page.textContent(".refused")).includes("kms:ListKeys"));
    await press(page, "/sign-out");
    await page.goto(stage.base + "/keys");
    await show(page, "shiro");
    assert.equal(pathOf(page), "/sign-in/code");
    await clean(page);
    const enter = async (digits) => {
        await page.fill("[name=code]", digits);
        await press(page, "/sign-in/code");
    };
    await enter("000000");
    assert.equal(await page.textContent(".refused"), texts["zh-CN"]["sign-in-wrong-code"]);
    await clean(page);
    const good = code(seed, 1);
    await enter(good.slice(0, 3) + " " + good.slice(3));
    assert.equal(pathOf(page), "/keys");
    assert.equal(await page.locator(".refused").count(), 0, "with a code the policy allows it");
    const [signin] = events("ConsoleSignin");
    assert.equal(signin.additionalEventData.mfaChecked, "true");
    const listed = events("ListKeys").find((event) => event.userIdentity.userName === "shiro" && !event.errorCode);
    assert.equal(listed.eventType, "ConsoleOperation");
    assert.equal(listed.userIdentity.sessionContext.attributes.mfaAuthenticated, "true");
    // The same code again is refused, and a password alone opens nothing.
    const other = await signedIn("shiro");
    await other.page.fill("[name=code]", good);
    await press(other.page, "/sign-in/code");
    assert.equal(await other.page.textContent(".refused"), texts.en["sign-in-wrong-code"]);
    await other.page.goto(stage.base + "/keys");
    assert.equal(pathOf(other.page), "/sign-in");
    // Unbinding needs a right; it ends every session.
    await page.goto(stage.base + "/me");
    await clean(page);
    await press(page, "/me/device/unbind");
    assert((await page.textContent(".refused")).includes("ram:UnbindMFADevice"));
    stage.call("UpdateLoginProfile", { UserName: "shiro", MFABindRequired: "false" });
    stage.call("CreatePolicy", { PolicyName: "own-device", PolicyDocument: JSON.stringify({ Version: "1", Statement: [
        { Effect: "Allow", Action: "ram:*", Resource: `acs:ram:*:${account}:user/shiro` }] }) });
    stage.call("AttachPolicyToUser", { PolicyName: "own-device", PolicyType: "Custom", UserName: "shiro" });
    await press(page, "/me/device/unbind");
    assert.equal(await page.textContent(".done"), texts["zh-CN"]["sign-in-device-unbound"]);
    await clean(page);
    await page.goto(stage.base + "/sessions");
    assert.equal(pathOf(page), "/sign-in");
    await show(page, "shiro");
    assert.equal(pathOf(page), "/sessions");
    await context.close();
    await other.context.close();
}

async function lockOut() {
    user("goro");
    stage.call("SetPasswordPolicy", { MaxLoginAttemps: "3" });
    const { context, page } = await signedIn("goro");
    await press(page, "/sign-out");
    // A stranger on the same machine locks a place out, and nobody else.
    const stranger = await stage.browserOf("ja");
    await stranger.page.goto(stage.base + "/sign-in");
    for (let mistake = 0; mistake < 3; mistake++) await show(stranger.page, "goro", "wrong");
    await show(stranger.page, "goro");
    const locked = texts.ja["sign-in-locked"].replace("{ $minutes }", "60");
    assert.equal(await stranger.page.textContent(".refused"), locked);
    assert.equal(await stranger.page.inputValue("[name=user]"), "goro");
    await clean(stranger.page);
    await page.goto(stage.base + "/sessions");
    await show(page, "goro");
    assert.equal(pathOf(page), "/sessions", "the own browser is not locked out");
    stage.call("SetPasswordPolicy", { MaxLoginAttemps: "0" });
    await context.close();
    await stranger.context.close();
}

async function sessionsEnd() {
    const tried = [
        ["DeleteLoginProfile", {}],
        ["UpdateLoginProfile", { Password: "another-Passphrase-3" }],
    ];
    for (const [action, more] of tried) {
        const name = "roku-" + action;
        user(name);
        const { context, page } = await signedIn(name);
        assert.equal(pathOf(page), "/sessions");
        stage.call(action, { UserName: name, ...more });
        await page.reload();
        assert.equal(pathOf(page), "/sign-in", action);
        await context.close();
    }
    user("nana");
    const { context, page } = await signedIn("nana");
    // Two tabs: signing out in one ends the other, whose form does nothing more and leads back to its page.
    const tab = await context.newPage();
    await tab.goto(stage.base + "/me?back=/audit");
    await press(page, "/sign-out");
    await page.goBack();
    assert.equal(pathOf(page), "/sign-in", "the back button shows nothing");
    await tab.fill("[name=old_password]", PASSWORD);
    await tab.fill("[name=new_password]", "another-Passphrase-1");
    await tab.fill("[name=new_password_again]", "another-Passphrase-1");
    await press(tab, "/me/password");
    assert.equal(pathOf(tab), "/sign-in");
    await show(tab, "nana");
    assert.equal(pathOf(tab), "/me", "the page of the form");
    // Signing in anew replaces the session: the cookie of before is worth nothing.
    const before = await context.cookies();
    await page.goto(stage.base + "/sign-in");
    await show(page, "nana");
    const thief = await stage.browserOf();
    await thief.context.addCookies(before);
    await thief.page.goto(stage.base + "/sessions");
    assert.equal(pathOf(thief.page), "/sign-in");
    // A form of the sign-in that comes from elsewhere is not looked at.
    const form = { account: "", user: "nana", password: PASSWORD };
    const forged = await thief.context.request.post(stage.base + "/sign-in/password",
        { form, headers: { Origin: "https://evil.example" }, maxRedirects: 0 });
    assert.equal(forged.status(), 403);
    assert.equal(forged.headers()["set-cookie"], undefined);
    await context.close();
    await thief.context.close();
}

async function withoutScripts() {
    user("hachi");
    const { context, page } = await stage.browserOf("ja", { javaScriptEnabled: false, viewport: { width: 320, height: 640 } });
    await page.goto(stage.base + "/people");
    await show(page, "hachi");
    assert.equal(pathOf(page), "/people");
    await page.goto(stage.base + "/me");
    await page.fill("[name=old_password]", PASSWORD);
    await page.fill("[name=new_password]", "another-Passphrase-1");
    await page.fill("[name=new_password_again]", "another-Passphrase-1");
    await press(page, "/me/password");
    assert.equal(await page.textContent(".done"), texts.ja["done-password-changed"]);
    await context.close();
}

async function hostileTexts() {
    const { context, page } = await stage.browserOf();
    await page.goto(stage.base + "/sign-in?back=" + encodeURIComponent("/keys?find=" + hostile));
    await clean(page);
    for (const field of ["account", "user", "password"]) await page.fill(`[name=${field}]`, hostile);
    await press(page, "/sign-in/password");
    assert.deepEqual([await page.inputValue("[name=account]"), await page.inputValue("[name=user]")], [hostile, hostile]);
    await clean(page);
    const { headers } = await context.request.fetch(stage.base + "/sign-in").then((answer) => ({ headers: answer.headers() }));
    assert.equal(headers["cache-control"], "no-store");
    await context.close();
}

// What somebody has typed as a secret, or was shown as one, is in no log and no file.
async function nothingSecretIsKept() {
    await stage.stop();
    const secrets = [PASSWORD, "another-Passphrase", ...seeds];
    const files = fs.readdirSync(stage.data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert(files.some((entry) => entry.parentPath.includes("audit")), "the audit log is looked at");
    const all = [Buffer.from(stage.said), ...files.map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name)))];
    for (const secret of secrets) assert(!all.some((content) => content.includes(secret)), "a secret is kept: " + secret);
    assert(all.some((content) => content.includes("ConsoleSignin")), "events are found by the same search");
}

play(stage, [
    ["start", async () => {
        await stage.start();
        await stage.open();
        account = stage.call("GetCallerIdentity", {}).AccountId;
    }],
    ["a password, in Japanese", () => aPassword("ja")],
    ["a password, in Chinese", () => aPassword("zh-CN")],
    ["a password, in English", () => aPassword("en")],
    ["another password has to be chosen", anotherPassword],
    ["a device has to be bound; codes; a policy that asks for one", aDevice],
    ["lock-out", lockOut],
    ["sessions end with what they rest on; two tabs, the back button, old cookies", sessionsEnd],
    ["without scripts, on a small screen", withoutScripts],
    ["hostile texts", hostileTexts],
    ["nothing secret is kept", nothingSecretIsKept],
]);

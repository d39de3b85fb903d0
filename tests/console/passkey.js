// Passkeys in Debian's chromium, with its virtual authenticators: making them, signing in with them alone and behind a
// password, and what is refused.
"use strict";

const assert = require("node:assert");
const { Stage, clean, play, press, texts } = require("./stage");

const stage = new Stage(process.argv[2]);
const PASSWORD = "a-Long-passphrase-9";
// Browsers have passkeys for names alone: the console is at an address too.
let origin;

const pathOf = (page) => new URL(page.url()).pathname;

const events = (name) => stage.call("LookupEvents", {
    "LookupAttribute.1.Key": "EventName", "LookupAttribute.1.Value": name, MaxResults: "50",
}).Events;

function user(name, more = {}) {
    stage.call("CreateUser", { UserName: name });
    stage.call("CreateLoginProfile", { UserName: name, Password: PASSWORD, ...more });
}

// A browser with an authenticator of its own, which knows who is there.
async function device(lang = "en", options = {}) {
    const { context, page } = await stage.browserOf(lang);
    const cdp = await context.newCDPSession(page);
    await cdp.send("WebAuthn.enable");
    const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: {
        protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
        automaticPresenceSimulation: true, ...options,
    } });
    const credentials = async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
    return { context, page, cdp, authenticatorId, credentials };
}

async function showPassword(page, name) {
    await page.fill("[name=user]", name);
    await page.fill("[name=password]", PASSWORD);
    await press(page, "/sign-in/password");
}

async function makePasskey({ page }, name) {
    await page.goto(origin + "/me");
    await page.fill("[name=PasskeyName]", name);
    await press(page, "/me/passkey/new");
}

// Whoever has shown a password makes a passkey in this browser.
async function withPasskey(browser, name, passkey = "phone") {
    user(name);
    await browser.page.goto(origin + "/me");
    await showPassword(browser.page, name);
    await makePasskey(browser, passkey);
}

async function signOut({ page }) {
    await page.goto(origin + "/me");
    await press(page, "/sign-out");
}

async function signIn({ page }, where = "/sessions") {
    await page.goto(origin + where);
    assert.equal(pathOf(page), "/sign-in");
    await press(page, "/sign-in/passkey");
}

async function alone(lang) {
    const name = "aoi-" + lang;
    const browser = await device(lang);
    await withPasskey(browser, name, "花子の電話 <b>");
    const { page } = browser;
    assert.equal(await page.textContent(".done"), texts[lang]["done-passkey-made"]);
    assert((await page.textContent("table")).includes("花子の電話 <b>"));
    await clean(page);
    await signOut(browser);
    await page.goto(origin + "/sessions");
    await clean(page);
    await signIn(browser);
    assert.equal(pathOf(page), "/sessions", "the page that was asked for");
    const [signin] = events("ConsoleSignin");
    assert.equal(signin.userIdentity.userName, name);
    assert.deepEqual(signin.additionalEventData, { callbackUrl: "/sessions", mfaChecked: "true", signInWay: "passkey" });
    const [made] = events("CreatePasskey");
    assert.equal(made.eventType, "ConsoleOperation");
    assert(!JSON.stringify(made).includes("webauthn"), "nothing of the ceremony is recorded");
    // Removing the passkey ends the session that came by it, and nobody signs in with it any more.
    await page.goto(origin + "/me");
    assert.equal(await page.textContent("main > p"), texts[lang]["me-with-mfa"]);
    await press(page, "/me/passkey/delete");
    assert.equal(pathOf(page), "/sign-in");
    await press(page, "/sign-in/passkey");
    assert.equal(await page.textContent(".refused:not([hidden])"), texts[lang]["sign-in-wrong-passkey"]);
    await clean(page);
    await browser.context.close();
}

async function behindAPassword() {
    const browser = await device("ja");
    const { page } = browser;
    user("bo", { MFABindRequired: "true" });
    await page.goto(origin + "/keys");
    await showPassword(page, "bo");
    // A device that has to be bound can be a passkey.
    assert.equal(await page.textContent(".warning"), texts.ja["me-must-bind"]);
    await clean(page);
    await makePasskey(browser, "phone");
    await page.goto(origin + "/sessions");
    assert.equal(pathOf(page), "/sessions", "nothing has to be done any more");
    await signOut(browser);
    await page.goto(origin + "/sessions");
    await showPassword(page, "bo");
    assert.equal(pathOf(page), "/sign-in/code");
    assert.equal(await page.textContent("h1"), texts.ja["sign-in-passkey-title"]);
    assert.equal(await page.locator("[name=code]").count(), 0);
    await clean(page);
    // The password alone opens nothing.
    const other = await browser.context.newPage();
    await other.goto(origin + "/sessions");
    assert.equal(pathOf(other), "/sign-in");
    await other.close();
    await press(page, "/sign-in/code/passkey");
    assert.equal(pathOf(page), "/sessions");
    assert.equal(events("ConsoleSignin")[0].additionalEventData.signInWay, "password and passkey");
    // Without verification it is no second factor less, and no way in by itself.
    await signOut(browser);
    // Chromium's authenticator refuses what it cannot verify, unless it is asked not to.
    await browser.context.addInitScript(() => {
        const get = CredentialsContainer.prototype.get;
        CredentialsContainer.prototype.get = function (options) {
            options.publicKey.userVerification = "discouraged";
            return get.call(this, options);
        };
    });
    await browser.cdp.send("WebAuthn.setUserVerified", { authenticatorId: browser.authenticatorId, isUserVerified: false });
    await page.goto(origin + "/sessions");
    await showPassword(page, "bo");
    await press(page, "/sign-in/code/passkey");
    assert.equal(pathOf(page), "/sessions");
    await signOut(browser);
    await signIn(browser);
    assert.equal(await page.textContent(".refused:not([hidden])"), texts.ja["sign-in-wrong-passkey"]);
    assert.equal(events("ConsoleSignin")[0].errorCode, "PasskeyFailed");
    await browser.context.close();
}

async function copies() {
    const browser = await device("zh-CN");
    await withPasskey(browser, "chie");
    await signOut(browser);
    const [copied] = await browser.credentials();
    await signIn(browser);
    assert.equal(pathOf(browser.page), "/sessions");
    // A copy of the authenticator, from before the sign-in: it counts on from there, and no further.
    const copy = await device("zh-CN");
    await copy.cdp.send("WebAuthn.addCredential", { authenticatorId: copy.authenticatorId, credential: copied });
    await signIn(copy);
    assert.equal(await copy.page.textContent(".refused:not([hidden])"), texts["zh-CN"]["sign-in-wrong-passkey"]);
    const [refused] = events("ConsoleSignin");
    assert.deepEqual([refused.errorCode, refused.userIdentity.userName], ["PasskeyCounterWentBack", "chie"]);
    await browser.context.close();
    await copy.context.close();
}

async function anothers() {
    const browser = await device();
    await withPasskey(browser, "dan");
    await signOut(browser);
    user("emi");
    // Another user's passkey under the handle of this one, and a wrong one behind the own password.
    const [of_dan] = await browser.credentials();
    const other = await device();
    await other.page.goto(origin + "/me");
    await showPassword(other.page, "emi");
    await makePasskey(other, "phone");
    const [of_emi] = await other.credentials();
    await signOut(other);
    const thief = await device();
    await thief.cdp.send("WebAuthn.addCredential", { authenticatorId: thief.authenticatorId,
        credential: { ...of_dan, userHandle: of_emi.userHandle } });
    await signIn(thief);
    assert.equal(await thief.page.textContent(".refused:not([hidden])"), texts.en["sign-in-wrong-passkey"]);
    await thief.page.goto(origin + "/sessions");
    await showPassword(thief.page, "emi");
    assert.equal(pathOf(thief.page), "/sign-in/code");
    await thief.page.click('form[action="/sign-in/code/passkey"] button');
    await thief.page.waitForSelector('[data-trouble="failed"]:not([hidden])');
    assert.equal(pathOf(thief.page), "/sign-in/code", "the authenticator has none of this user's");
    for (const { context } of [browser, other, thief]) await context.close();
}

// An administrator sees passkeys, and takes them away.
async function administrator() {
    const browser = await device();
    await withPasskey(browser, "fumi");
    const { context, page } = await stage.browserOf("en");
    await page.goto(stage.newLink());
    await page.click("#by-link button");
    await page.goto(stage.base + "/people/fumi");
    assert((await page.textContent("main")).includes(texts.en["passkey-one-device"]));
    await clean(page);
    await press(page, "/people/fumi/remove-passkey");
    assert.equal(await page.textContent(".done"), texts.en["done-passkey-removed"]);
    assert.equal(stage.call("ListPasskeys", { UserName: "fumi" }).Passkeys.Passkey.length, 0);
    assert.equal(events("DeletePasskey")[0].eventType, "ConsoleOperation");
    await context.close();
    await browser.context.close();
}

// By an address browsers have no passkeys; the pages say where they have.
async function atAnAddress() {
    const { context, page } = await stage.browserOf("en");
    await page.goto(stage.base + "/sign-in");
    assert((await page.textContent("main")).includes(texts.en["passkey-elsewhere"]));
    assert.equal(await page.getAttribute(`main a[href="${origin}"]`, "href"), origin);
    assert.equal(await page.locator("form[data-passkey]").count(), 0);
    await clean(page);
    const forged = await context.request.post(stage.base + "/sign-in/passkey/options",
        { headers: { Origin: stage.base }, form: { back: "/" } });
    assert.equal(forged.status(), 404);
    await context.close();
    // A form from elsewhere is not looked at, and without scripts the page says what is missing.
    const without = await stage.browserOf("ja", { javaScriptEnabled: false });
    await without.page.goto(origin + "/sign-in");
    assert((await without.page.textContent("main")).includes(texts.ja["passkey-no-script"]));
    const elsewhere = await without.context.request.post(origin + "/sign-in/passkey/options",
        { headers: { Origin: "https://evil.example" }, form: { back: "/" } });
    assert.equal(elsewhere.status(), 403);
    await without.context.close();
}

play(stage, [
    ["start", async () => {
        await stage.start();
        await stage.open();
        origin = stage.base.replace("127.0.0.1", "localhost");
    }],
    ["a passkey alone, in Japanese", () => alone("ja")],
    ["a passkey alone, in Chinese", () => alone("zh-CN")],
    ["a passkey alone, in English", () => alone("en")],
    ["a passkey behind a password; verification", behindAPassword],
    ["a copy of an authenticator", copies],
    ["passkeys of another user", anothers],
    ["an administrator removes one", administrator],
    ["at an address, without scripts, from elsewhere", atAnAddress],
]);

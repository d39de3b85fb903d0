// Drives the console in Debian's chromium: what a person does, and what an attacker would try.
"use strict";

const assert = require("node:assert");
const { execFileSync, spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [binary, mode] = process.argv.slice(2);
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const work = fs.mkdtempSync(path.join(os.tmpdir(), "jomae-console-"));
const data = path.join(work, "data");
const hostile = `"'><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">{{7*7}}&lt;`;
// What people look for, as the catalogues have it.
const texts = Object.fromEntries(["ja", "zh-CN", "en"].map((lang) => {
    const dir = path.join(__dirname, "../../crates/jomae-console/locales", lang);
    const all = fs.readdirSync(dir).map((file) => fs.readFileSync(path.join(dir, file), "utf8")).join("\n");
    const lines = all.split("\n").filter((line) => line.includes(" = "));
    return [lang, Object.fromEntries(lines.map((line) => line.split(/ = (.*)/).slice(0, 2)))];
}));

let server;
let base;
let browser;

async function start() {
    const words = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--console-listen", "127.0.0.1:0"];
    server = spawn(binary, ["serve", "--data-dir", data, ...words], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    server.stdout.on("data", (bytes) => { said += bytes; });
    const deadline = Date.now() + 60_000;
    while (!/jomae key create/.test(said)) {
        assert(server.exitCode === null && Date.now() < deadline, "the server does not start: " + said);
        await new Promise((done) => setTimeout(done, 50));
    }
    base = said.match(/Console: (https:\/\/\S+)/)[1];
    return said.match(/https:\/\/\S+\/sign-in#\S+/)[0];
}

const settings = () => {
    const shell = execFileSync("sh", ["-c", `. "$0" && env -0`, path.join(data, "env")], { env: { PATH: process.env.PATH } });
    return Object.fromEntries(shell.toString().split("\0").filter(Boolean).map((line) => line.split(/=(.*)/s).slice(0, 2)));
};

function jomae(words, { env = {}, input = "" } = {}) {
    return spawnSync(binary, words, { env: { ...settings(), ...env }, input, encoding: "utf8" });
}

function newLink(...words) {
    const ran = spawnSync(binary, ["console", "link", "--data-dir", data, ...words], { encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
    return ran.stdout.trim();
}

// A browser of its own, signed in by a link.
async function person(link, lang = "en", options = {}) {
    const context = await browser.newContext({ locale: lang, ignoreHTTPSErrors: true, ...options });
    const page = await context.newPage();
    page.on("dialog", (dialog) => { throw new Error("a dialog: " + dialog.message()); });
    page.on("console", (message) => {
        // Blocked by the policy of the page, or broken.
        if (message.type() === "error" && /Content Security Policy|TypeError|SyntaxError/.test(message.text())) {
            throw new Error(message.text());
        }
    });
    await page.goto(link);
    assert.equal(await page.evaluate(() => location.hash), "", "the token stays in the address");
    await page.click("main form button");
    await page.waitForURL((url) => url.pathname !== "/sign-in");
    return { context, page };
}

async function clean(page) {
    assert.equal(await page.evaluate(() => window.hacked), undefined, "a script has run on " + page.url());
    // By the protocol of the debugger: the policy of the page lets no script of others in.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(found, [], page.url());
}

async function press(page, action) {
    await Promise.all([page.waitForNavigation(), page.click(`form[action$="${action}"] button`)]);
}

async function makeKey(page, fields) {
    await page.goto(base + "/keys/new");
    for (const [name, value] of Object.entries(fields)) await page.fill(`[name=${name}]`, value);
    await press(page, "/keys/new");
    return new URL(page.url()).pathname;
}

const result = (page) => page.textContent("#result code");

async function fromLinkToPlaintext(lang, link) {
    const text = "-----BEGIN CERTIFICATE-----\n証明書 证书\n-----END CERTIFICATE-----";
    const { context, page } = await person(link, lang);
    assert.equal(await page.getAttribute("html", "lang"), lang);
    assert.equal(await page.textContent("h1"), texts[lang]["overview-title"]);
    await clean(page);
    const key = await makeKey(page, { alias: "first-" + lang, Description: "certificates" });
    assert.equal(await page.textContent(".done"), texts[lang]["done-key-created"]);
    await clean(page);
    await page.goto(base + key + "/try");
    await page.fill("[name=plaintext]", text);
    await page.fill("[name=encrypt_context_name]", "purpose");
    await page.fill("[name=encrypt_context_value]", "cert");
    await press(page, "/encrypt");
    const ciphertext = await result(page);
    await clean(page);
    await press(page, "/decrypt");
    assert.equal(await result(page), text);
    // Another context is refused, and what was typed is still there.
    await page.fill("[name=decrypt_context_value]", "other");
    await press(page, "/decrypt");
    assert((await page.textContent(".refused")).includes(texts[lang]["error-InvalidParameter"]));
    assert.equal(await page.inputValue("[name=ciphertext]"), ciphertext);
    await clean(page);
    for (const other of ["/", "/keys", "/keys/new", key + "/grant", "/people", "/audit", "/sessions", "/nowhere"]) {
        await page.goto(base + other);
        await clean(page);
    }
    // By hand, and it stays.
    await page.goto(base + "/keys");
    const next = lang === "en" ? "ja" : "en";
    await Promise.all([page.waitForNavigation(), page.click(`.languages a[lang=${next}]`)]);
    assert.equal(new URL(page.url()).pathname, "/keys");
    assert.equal(await page.textContent("h1"), texts[next]["nav-keys"]);
    await context.close();
    return { key, ciphertext };
}

async function aColleague({ key, ciphertext }) {
    const { context, page } = await person(newLink(), "ja", { acceptDownloads: true });
    await page.goto(base + "/people");
    await page.fill("[name=UserName]", "hanako");
    await press(page, "/people/new");
    await press(page, "/create-access-key");
    const env = {
        ALIBABA_CLOUD_ACCESS_KEY_ID: await page.textContent("#access-key-id"),
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: await page.textContent("#access-key-secret"),
    };
    await clean(page);
    await page.goto(base + key + "/grant");
    await page.fill("[name=grant_context_name]", "purpose");
    await page.fill("[name=grant_context_value]", "cert");
    await page.fill("[name=PolicyName]", "hanako-cert");
    await press(page, "/grant");
    assert.equal(await page.textContent(".done"), texts.ja["done-granted"]);
    const decrypt = (value) => jomae(["decrypt", "--context", "purpose=" + value], { env, input: ciphertext });
    assert.match(decrypt("cert").stdout, /証明書/);
    assert.notEqual(decrypt("other").status, 0);
    // The refusal is in the log, with its reason.
    await page.goto(base + "/audit?by=User&value=hanako&kind=ApiCall");
    const row = page.locator("tbody tr", { hasText: "Forbidden.NoPermission" }).locator("a").first();
    await Promise.all([page.waitForNavigation(), row.click()]);
    const reason = await page.textContent("#reason");
    assert.match(reason, /kms:EncryptionContext.purpose is not met/);
    await clean(page);
    const event = new URL(page.url()).pathname;
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`a[href="${event}/proof"]`)]);
    const proof = path.join(work, "proof.json");
    await download.saveAs(proof);
    const [keyDownload] = await Promise.all([page.waitForEvent("download"), page.click('a[href="/audit/key"]')]);
    const logKey = path.join(work, "key.pub");
    await keyDownload.saveAs(logKey);
    const checked = jomae(["audit", "check-proof", proof, "--key", logKey]);
    assert.equal(checked.status, 0, checked.stderr);
    assert(checked.stdout.includes("hanako") && checked.stdout.includes("Forbidden.NoPermission"));
    await context.close();
}

async function somebodyWithoutRights(key) {
    const { context, page } = await person(newLink("--user", "hanako"), "zh-CN");
    const refused = await page.textContent(".refused");
    assert(refused.includes(texts["zh-CN"]["why-not-allowed"].replace("{ $permission }", "kms:ListKeys")), refused);
    await clean(page);
    await page.goto(base + key);
    assert((await page.textContent(".refused")).includes("kms:DescribeKey"));
    await page.goto(base + "/people");
    assert((await page.textContent(".not-offered")).includes("ram:CreateUser"));
    assert.equal(await page.locator("form[action='/people/new']").count(), 0);
    // Who is gone is signed out.
    assert.equal(jomae(["call", "CreateUser", "--UserName", "taro"]).status, 0);
    const taro = await person(newLink("--user", "taro"));
    assert.match(await taro.page.textContent(".account"), /taro/);
    const unused = newLink("--user", "taro");
    assert.equal(jomae(["call", "DeleteUser", "--UserName", "taro"]).status, 0);
    await taro.page.goto(base + "/sessions");
    assert.equal(new URL(taro.page.url()).pathname, "/sign-in");
    await taro.page.click("#by-link summary");
    await taro.page.fill("[name=token]", unused.split("#")[1]);
    await Promise.all([taro.page.waitForNavigation(), taro.page.click("#by-link form button")]);
    assert(await taro.page.isVisible(".refused"));
    await taro.context.close();
    await context.close();
}

async function disabled(key, ciphertext) {
    const { context, page } = await person(newLink());
    await page.goto(base + key);
    await press(page, "/disable");
    assert.equal(await page.textContent(".done"), texts.en["done-disabled"]);
    await page.goto(base + key + "/try");
    await page.fill("[name=ciphertext]", ciphertext);
    await page.fill("[name=decrypt_context_name]", "purpose");
    await page.fill("[name=decrypt_context_value]", "cert");
    await press(page, "/decrypt");
    assert((await page.textContent(".refused")).includes(texts.en["error-Rejected-Disabled"]));
    await page.goto(base + key);
    await press(page, "/enable");
    // A deletion needs the name of the key.
    await page.click("main details summary");
    await page.fill("[name=confirm]", "something");
    await press(page, "/schedule-deletion");
    assert((await page.textContent(".refused")).includes(texts.en["error-confirm"]));
    await page.click("main details summary");
    await page.fill("[name=confirm]", key.split("/").pop());
    await press(page, "/schedule-deletion");
    assert.equal(await page.textContent(".done"), texts.en["done-deletion-scheduled"]);
    await clean(page);
    await press(page, "/cancel-deletion");
    assert.equal(await page.textContent(".done"), texts.en["done-deletion-cancelled"]);
    assert(await page.isVisible("dd .state-enabled"));
    await context.close();
}

async function hostileTexts() {
    const { context, page } = await person(newLink(), "en", { userAgent: "agent " + hostile });
    const key = await makeKey(page, { Description: hostile });
    assert.equal(await page.textContent("dd[translate=no]"), hostile);
    await page.fill("[name=tag_key]", hostile.slice(0, 60));
    await page.fill("[name=tag_value]", hostile);
    await press(page, "/tag");
    await clean(page);
    for (const [where, field, action] of [
        [key, "alias", "/create-alias"],
        ["/people", "UserName", "/people/new"],
        [key + "/grant", "PolicyName", "/grant"],
    ]) {
        await page.goto(base + where);
        await page.fill(`[name=${field}]`, hostile);
        await press(page, action);
        assert(await page.isVisible(".refused"));
        assert.equal(await page.inputValue(`[name=${field}]`), hostile, field);
        await clean(page);
    }
    await page.goto(base + "/people");
    await page.fill("[name=UserName]", "odd");
    await page.fill("[name=DisplayName]", hostile);
    await page.fill("[name=Comments]", hostile);
    await press(page, "/people/new");
    await clean(page);
    await page.goto(base + key + "/try");
    await page.fill("[name=plaintext]", hostile);
    await page.fill("[name=encrypt_context_name]", hostile);
    await page.fill("[name=encrypt_context_value]", hostile);
    await press(page, "/encrypt");
    await press(page, "/decrypt");
    assert.equal(await result(page), hostile);
    await clean(page);
    const encoded = encodeURIComponent(hostile);
    for (const where of [
        "/keys", "/people", "/sessions", "/audit", `/keys?find=${encoded}&state=${encoded}`, `/keys/${encoded}`,
        `/people/${encoded}`, `/audit/${encoded}`, `/audit?by=${encoded}&value=${encoded}`, `/sign-in?back=${encoded}`,
        `/?done=${encoded}`,
    ]) {
        await page.goto(base + where);
        await clean(page);
    }
    await page.goto(base + "/audit?by=EventName&value=CreateKey");
    await Promise.all([page.waitForNavigation(), page.click("tbody a[href^='/audit/']")]);
    assert((await page.textContent("main")).includes("<script>window.hacked"), "the event shows the text");
    await clean(page);
    await context.close();
}

async function attacks() {
    const link = newLink();
    const { context, page } = await person(link);
    const cookies = await context.cookies();
    const [cookie] = cookies.filter(({ name }) => name === "__Host-jomae-session");
    assert(cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict" && cookie.path === "/");
    assert.equal(await page.evaluate(() => document.cookie), "", "scripts see no cookie");
    const key = await makeKey(page, { Description: "target" });
    const token = await page.inputValue("[name=form_token]");
    const disable = (form, headers) => context.request.post(base + key + "/disable", { form, headers, maxRedirects: 0 });
    // A form of another site, or one that does not know the session's token.
    assert.equal((await disable({ form_token: token }, {})).status(), 403);
    assert.equal((await disable({ form_token: token }, { Origin: "https://evil.example" })).status(), 403);
    assert.equal((await disable({ form_token: token }, { Origin: "null" })).status(), 403);
    assert.equal((await disable({}, { Origin: base })).status(), 403);
    assert.equal((await disable({ form_token: "x".repeat(43) }, { Origin: base })).status(), 403);
    const other = await person(newLink());
    const othersToken = await other.page.inputValue("[name=form_token]");
    assert.equal((await disable({ form_token: othersToken }, { Origin: base })).status(), 403);
    await page.goto(base + key);
    assert(await page.isVisible("dd .state-enabled"), "nothing was done");
    // No address leads elsewhere, and no page may be framed.
    for (const back of ["//evil.example", "https://evil.example", "/\\evil.example"]) {
        const answer = await context.request.get(base + "/language/en?back=" + encodeURIComponent(back), { maxRedirects: 0 });
        assert.equal(answer.headers().location, "/", back);
    }
    const headers = (await page.reload()).headers();
    assert.equal(headers["cache-control"], "no-store");
    assert.match(headers["content-security-policy"], /^default-src 'none';.*frame-ancestors 'none'/);
    // A link works once.
    const again = await browser.newContext({ ignoreHTTPSErrors: true });
    const second = await again.newPage();
    await second.goto(link);
    await Promise.all([second.waitForNavigation(), second.click("main form button")]);
    assert.equal(await second.textContent(".refused"), texts.en["sign-in-failed"]);
    await clean(second);
    // Without the cookie there is nothing to see, and with one that was guessed neither; then the same page comes back.
    await second.goto(base + key);
    assert.equal(new URL(second.url()).pathname, "/sign-in");
    await again.addCookies([{ ...cookie, value: "A".repeat(43) }]);
    await second.goto(base + key);
    assert.equal(new URL(second.url()).pathname, "/sign-in");
    await second.click("#by-link summary");
    await second.fill("[name=token]", newLink().split("#")[1]);
    await second.click("#by-link form button");
    await second.waitForURL(base + key);
    // A session can be ended from another one.
    await other.page.goto(base + "/sessions");
    const ends = other.page.locator('form[action$="/end"] button');
    while (await ends.count() > 0) await Promise.all([other.page.waitForNavigation(), ends.first().click()]);
    await page.goto(base + key);
    assert.equal(new URL(page.url()).pathname, "/sign-in", "the session was ended");
    // After signing out neither the back button nor the stolen cookie shows anything.
    const stolen = await other.context.cookies();
    await other.page.goto(base + key);
    await press(other.page, "/sign-out");
    assert.equal(await other.page.textContent("h1"), texts.en["signed-out-title"]);
    await clean(other.page);
    await other.page.goBack();
    assert.equal(new URL(other.page.url()).pathname, "/sign-in");
    const thief = await browser.newContext({ ignoreHTTPSErrors: true });
    await thief.addCookies(stolen);
    const loot = await thief.newPage();
    await loot.goto(base + key);
    assert.equal(new URL(loot.url()).pathname, "/sign-in");
    // Too much is refused before it is read.
    const flood = await thief.request.post(base + "/sign-in", { form: { token: "x".repeat(70_000) }, headers: { Origin: base } });
    assert.equal(flood.status(), 413);
    for (const open of [context, other.context, again, thief]) await open.close();
}

async function smallAndWithoutScript() {
    const { context, page } = await person(newLink(), "ja", { viewport: { width: 320, height: 640 }, colorScheme: "dark" });
    for (const where of ["/", "/keys", "/keys/new", "/people", "/audit", "/sessions"]) {
        await page.goto(base + where);
        const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert(wide <= screen, `${where} is ${wide} wide`);
        await clean(page);
    }
    await context.close();
    const plain = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
    const bare = await plain.newPage();
    const [address, token] = newLink().split("#");
    await bare.goto(address);
    await bare.click("#by-link summary");
    await bare.fill("[name=token]", token);
    await Promise.all([bare.waitForNavigation(), bare.click("#by-link form button")]);
    const key = await makeKey(bare, { Description: "without scripts" });
    assert.match(key, /^\/keys\//);
    await plain.close();
}

async function screenshots(link) {
    const to = path.join(__dirname, "../../docs/console");
    fs.mkdirSync(to, { recursive: true });
    const { page } = await person(link, "ja", { viewport: { width: 960, height: 720 } });
    const key = await makeKey(page, { alias: "certificates", Description: "証明書" });
    const shot = async (name) => page.screenshot({ path: path.join(to, name + ".png"), scale: "css" });
    await shot("key-ja");
    await page.goto(base + key + "/try");
    await page.fill("[name=plaintext]", "-----BEGIN CERTIFICATE-----");
    await press(page, "/encrypt");
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("try-ja-dark");
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(base + "/language/zh-CN?back=/audit");
    await shot("audit-zh-CN");
}

async function main() {
    const link = await start();
    browser = await chromium.launch({
        executablePath: "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync"],
    });
    if (mode === "--screenshots") return screenshots(link);
    const step = async (name, doing) => {
        const began = Date.now();
        const given = await doing();
        console.log(`${name}: ok, ${((Date.now() - began) / 1000).toFixed(1)} s`);
        return given;
    };
    const first = await step("from the printed link to a plaintext, in Japanese", () => fromLinkToPlaintext("ja", link));
    await step("the same in Chinese", () => fromLinkToPlaintext("zh-CN", newLink()));
    await step("the same in English", () => fromLinkToPlaintext("en", newLink()));
    await step("a colleague: one context, the refusal in the log, its proof", () => aColleague(first));
    await step("somebody without rights", () => somebodyWithoutRights(first.key));
    await step("disable, and a deletion with the name typed", () => disabled(first.key, first.ciphertext));
    await step("hostile texts", hostileTexts);
    await step("forged forms, used links, stolen cookies, the back button", attacks);
    await step("a small screen in the dark, and no scripts", smallAndWithoutScript);
}

main().then(
    () => 0,
    (error) => {
        console.error(error);
        return 1;
    },
).then(async (status) => {
    await browser?.close();
    if (server?.exitCode === null) {
        server.kill();
        await new Promise((done) => server.on("exit", done));
    }
    fs.rmSync(work, { recursive: true, force: true });
    process.exit(status);
});

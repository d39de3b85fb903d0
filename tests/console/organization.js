// Signing in to the console through an identity provider, in Debian's chromium. The provider is the one below.
"use strict";

const assert = require("node:assert");
const { execFileSync } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const https = require("node:https");
const net = require("node:net");
const path = require("node:path");
const { Stage, clean, play, press, texts } = require("./stage");

const stage = new Stage(process.argv[2]);
const CLIENT = "jomae-console";
const SECRET = "s3cret of the / console";
let account;
let issuer;

const pathOf = (page) => new URL(page.url()).pathname;
const base64url = (content) => Buffer.from(content).toString("base64url");

// An OpenID Connect provider that lets everybody in as `subject`, and lies where a test says so.
class Provider {
    constructor(work) {
        this.key = crypto.generateKeyPairSync("ed25519");
        this.codes = new Map();
        this.subject = "hanako|1";
        this.lies = {};
        const file = (name) => path.join(work, name);
        execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", file("provider.key"), "-out", file("provider.pem")], { stdio: "ignore" });
        this.ca = file("provider.pem");
        const tls = { key: fs.readFileSync(file("provider.key")), cert: fs.readFileSync(this.ca) };
        this.server = https.createServer(tls, (request, response) => this.answer(request, response));
    }

    async listen() {
        await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
        this.issuer = `https://localhost:${this.server.address().port}`;
    }

    json(response, value, status = 200) {
        response.writeHead(status, { "content-type": "application/json" });
        response.end(JSON.stringify(value));
    }

    answer(request, response) {
        const url = new URL(request.url, this.issuer);
        if (url.pathname === "/.well-known/openid-configuration") {
            return this.json(response, { issuer: this.issuer, jwks_uri: this.issuer + "/keys",
                authorization_endpoint: this.issuer + "/authorize", token_endpoint: this.issuer + "/token" });
        }
        if (url.pathname === "/keys") {
            const { x } = this.key.publicKey.export({ format: "jwk" });
            return this.json(response, { keys: [{ kty: "OKP", crv: "Ed25519", kid: "k1", use: "sig", x }] });
        }
        if (url.pathname === "/authorize") {
            const asked = Object.fromEntries(url.searchParams);
            const code = crypto.randomBytes(16).toString("base64url");
            this.codes.set(code, asked);
            const back = new URL(asked.redirect_uri);
            const given = this.lies.error ? { error: this.lies.error } : { code, iss: this.lies.iss ?? this.issuer };
            for (const [name, value] of Object.entries({ ...given, state: this.lies.state ?? asked.state })) {
                back.searchParams.set(name, value);
            }
            this.asked = asked;
            // A page on which one signs in, so that the browser comes from another site.
            response.writeHead(200, { "content-type": "text/html" });
            return response.end(`<!doctype html><title>Provider</title><a id="in" href="${back.toString().replaceAll("&", "&amp;")}">in</a>`);
        }
        let body = "";
        request.on("data", (bytes) => { body += bytes; });
        request.on("end", () => this.exchange(request, Object.fromEntries(new URLSearchParams(body)), response));
    }

    exchange(request, form, response) {
        const asked = this.codes.get(form.code);
        this.codes.delete(form.code);
        const auth = "Basic " + Buffer.from([CLIENT, SECRET].map(encodeURIComponent).join(":")).toString("base64");
        const challenge = crypto.createHash("sha256").update(form.code_verifier ?? "").digest("base64url");
        const fits = asked && request.url === "/token" && request.headers.authorization === auth
            && form.grant_type === "authorization_code" && form.redirect_uri === asked.redirect_uri
            && asked.code_challenge_method === "S256" && challenge === asked.code_challenge;
        if (!fits) return this.json(response, { error: "invalid_grant" }, 400);
        if (this.lies.large) return this.json(response, { id_token: "x".repeat(1 << 20) });
        const now = Math.floor(Date.now() / 1000);
        const claims = { iss: this.issuer, aud: CLIENT, sub: this.subject, iat: now, exp: now + 300, nonce: asked.nonce, ...this.lies.claims };
        const text = [{ alg: "EdDSA", kid: "k1" }, claims].map((part) => base64url(JSON.stringify(part))).join(".");
        const key = this.lies.key ?? this.key.privateKey;
        this.json(response, { token_type: "Bearer", access_token: "unused",
            id_token: text + "." + crypto.sign(null, Buffer.from(text), key).toString("base64url") });
    }
}

async function freePort() {
    const server = net.createServer();
    await new Promise((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address();
    await new Promise((done) => server.close(done));
    return port;
}

async function begin() {
    await stage.start();
    account = stage.call("GetCallerIdentity", {}).AccountId;
    issuer = new Provider(stage.work);
    await issuer.listen();
    const arn = `acs:ram::${account}:oidc-provider/office`;
    stage.call("CreateRole", { RoleName: "console", AssumeRolePolicyDocument: JSON.stringify({ Version: "1", Statement: [{
        Effect: "Allow", Action: "sts:AssumeRole", Principal: { Federated: [arn] },
        Condition: { StringEquals: { "oidc:aud": CLIENT }, StringLike: { "oidc:sub": "hanako|*" } },
    }] }) });
    stage.call("AttachPolicyToRole", { RoleName: "console", PolicyType: "System", PolicyName: "AliyunKMSReadOnlyAccess" });
    await stage.stop();
    const port = await freePort();
    const file = (name, content) => {
        const at = path.join(stage.work, name);
        fs.writeFileSync(at, content, { mode: 0o600 });
        return at;
    };
    const text = JSON.stringify;
    const config = file("jomae.toml", `
[[oidc_provider]]
account = ${text(account)}
name = "office"
issuer = ${text(issuer.issuer)}
client_ids = [${text(CLIENT)}]
allow_private = true
ca_file = ${text(issuer.ca)}

[oidc_provider.console]
client_id = ${text(CLIENT)}
client_secret_file = ${text(file("secret", SECRET + "\n"))}
role_arn = "acs:ram::${account}:role/console"
redirect_uri = "https://127.0.0.1:${port}/sign-in/callback"
label = "例 Office"
`);
    await stage.start({ words: ["--config", config], port });
    await stage.open();
}

// To the provider and back, from a page of the console.
async function through(page, where = "/keys?state=Enabled") {
    await page.goto(stage.base + where);
    assert.equal(pathOf(page), "/sign-in");
    await Promise.all([page.waitForNavigation(), page.click('a[href^="/sign-in/with/0"]')]);
    assert.equal(new URL(page.url()).origin, issuer.issuer);
    await page.click("#in");
}

async function intoARole(lang) {
    const { context, page } = await stage.browserOf(lang);
    await page.goto(stage.base + "/sign-in");
    assert.equal(await page.textContent('a[href^="/sign-in/with/0"]'), "例 Office");
    await clean(page);
    await through(page);
    await page.waitForURL(stage.base + "/keys?state=Enabled");
    assert.match(await page.textContent(".account"), /console:hanako-1/);
    assert.equal(await page.locator(".refused").count(), 0, "the role may list keys");
    assert.equal(issuer.asked.scope, "openid");
    const cookies = (await context.cookies()).filter((cookie) => cookie.name.startsWith("__Host-"));
    assert.deepEqual(cookies.map(({ name, sameSite }) => [name, sameSite]), [["__Host-jomae-session", "Strict"]]);
    await page.goto(stage.base + "/me");
    assert((await page.textContent("main")).includes(texts[lang]["me-role"]));
    await clean(page);
    await page.goto(stage.base + "/people");
    assert((await page.textContent(".refused")).includes("ram:ListUsers"));
    const found = (name) => stage.call("LookupEvents", { "LookupAttribute.1.Key": "EventName", "LookupAttribute.1.Value": name }).Events;
    const [signin] = found("ConsoleSignin");
    assert.deepEqual([signin.userIdentity.type, signin.userIdentity.userName], ["assumed-role", "console:hanako-1"]);
    assert.equal(signin.additionalEventData.callbackUrl, "/keys?state=Enabled");
    const [assumed] = found("AssumeRoleWithOIDC");
    assert.deepEqual([assumed.eventType, assumed.userIdentity.userName], ["ConsoleOperation", "hanako|1"]);
    await press(page, "/sign-out");
    assert.equal(await page.textContent("h1"), texts[lang]["signed-out-title"]);
    await context.close();
}

// A browser in which somebody is signed in already: that session ends with the sign-in, as with a password.
async function anotherSession() {
    const { context, page } = await stage.browserOf();
    const [address, token] = stage.newLink().split("#");
    await page.goto(address);
    await page.evaluate((token) => {
        document.querySelector("[name=token]").value = token;
        document.querySelector("form:has([name=token])").submit();
    }, token);
    await page.waitForURL((url) => url.pathname === "/");
    const sessionOf = async () => (await context.cookies()).find((cookie) => cookie.name === "__Host-jomae-session").value;
    const before = await sessionOf();
    // Whom the provider does not let in has lost nothing.
    issuer.lies = { error: "access_denied" };
    const go = async () => {
        await page.goto(stage.base + "/sign-in");
        await Promise.all([page.waitForNavigation(), page.click('a[href^="/sign-in/with/0"]')]);
        await page.click("#in");
    };
    await go();
    await page.waitForSelector("[role=alert]");
    assert.equal(await sessionOf(), before);
    const apart = await stage.browser.newContext({ ignoreHTTPSErrors: true });
    const status = async () => (await apart.request.get(stage.base + "/sessions", {
        headers: { cookie: "__Host-jomae-session=" + before }, maxRedirects: 0 })).status();
    assert.equal(await status(), 200);
    issuer.lies = {};
    await go();
    await page.waitForURL(stage.base + "/");
    assert.match(await page.textContent(".account"), /console:hanako-1/);
    assert.notEqual(await sessionOf(), before);
    assert.equal(await status(), 303, "the session of before is still good");
    const names = (await context.cookies()).map((cookie) => cookie.name).filter((name) => name.startsWith("__Host-"));
    assert.deepEqual(names, ["__Host-jomae-session"]);
    await apart.close();
    await context.close();
}

async function liesOfTheProvider() {
    const other = crypto.generateKeyPairSync("ed25519").privateKey;
    const past = Math.floor(Date.now() / 1000) - 1;
    for (const [name, lies, text] of [
        ["the person was not let in there", { error: "access_denied" }, "sign-in-organization-failed"],
        ["the nonce of another sign-in", { claims: { nonce: "x".repeat(43) } }, "sign-in-organization-failed"],
        ["no nonce", { claims: { nonce: undefined } }, "sign-in-organization-failed"],
        ["a token for somebody else", { claims: { aud: "other" } }, "sign-in-organization-failed"],
        ["a token for two, and for the other", { claims: { aud: [CLIENT, "other"], azp: "other" } }, "sign-in-organization-failed"],
        ["a token for two, and nobody knows for whom", { claims: { aud: [CLIENT, "other"] } }, "sign-in-organization-failed"],
        ["an old token", { claims: { exp: past } }, "sign-in-organization-failed"],
        ["another issuer", { claims: { iss: "https://localhost" } }, "sign-in-organization-failed"],
        ["an answer of another issuer", { iss: "https://localhost" }, "sign-in-organization-failed"],
        ["another key", { key: other }, "sign-in-organization-failed"],
        ["a person whom the role does not trust", { claims: { sub: "taro|1" } }, "sign-in-organization-failed"],
        ["an answer that is too large", { large: true }, "sign-in-organization-failed"],
        ["another state", { state: "x".repeat(43) }, "sign-in-ended"],
    ]) {
        issuer.lies = lies;
        const { context, page } = await stage.browserOf();
        await through(page);
        await page.waitForSelector(".refused");
        assert.equal(await page.textContent(".refused"), texts.en[text], name);
        const cookies = await context.cookies(stage.base);
        assert(!cookies.some((cookie) => cookie.name.startsWith("__Host-jomae")), name + ": a cookie is left");
        await page.goto(stage.base + "/keys");
        assert.equal(pathOf(page), "/sign-in", name);
        await context.close();
        // A network may exchange two codes a second.
        await new Promise((done) => setTimeout(done, 300));
    }
    issuer.lies = {};
}

async function stolenAnswers() {
    // Somebody else's answer, put into the browser of a victim: nobody is signed in as the attacker.
    const attacker = await stage.browserOf();
    await attacker.page.goto(stage.base + "/keys");
    await Promise.all([attacker.page.waitForNavigation(), attacker.page.click('a[href^="/sign-in/with/0"]')]);
    const answer = await attacker.page.getAttribute("#in", "href");
    const victim = await stage.browserOf("ja");
    await victim.page.goto(answer);
    assert.equal(await victim.page.textContent(".refused"), texts.ja["sign-in-ended"]);
    await clean(victim.page);
    // Nor with a sign-in of the victim's own under way.
    await victim.page.goto(stage.base + "/keys");
    await Promise.all([victim.page.waitForNavigation(), victim.page.click('a[href^="/sign-in/with/0"]')]);
    await victim.page.goto(answer);
    assert.equal(await victim.page.textContent(".refused"), texts.ja["sign-in-ended"]);
    // Whose it is, it lets in once.
    // The page goes on by itself, perhaps before it is loaded.
    await attacker.page.goto(answer, { waitUntil: "commit" });
    await attacker.page.waitForURL(stage.base + "/keys");
    await attacker.page.goto(answer);
    assert.equal(await attacker.page.textContent(".refused"), texts.en["sign-in-ended"]);
    await attacker.page.goto(stage.base + "/keys");
    // The session ends with what it rests on.
    stage.call("DetachPolicyFromRole", { RoleName: "console", PolicyType: "System", PolicyName: "AliyunKMSReadOnlyAccess" });
    await attacker.page.reload();
    assert((await attacker.page.textContent(".refused")).includes("kms:ListKeys"));
    // Nothing leads elsewhere.
    for (const bad of ["/sign-in/with/1", "/sign-in/with/-1", "/sign-in/with/", "/sign-in/with/0x0"]) {
        const found = await victim.context.request.get(stage.base + bad, { maxRedirects: 0 });
        assert.equal(found.status(), 404, bad);
    }
    await attacker.context.close();
    await victim.context.close();
}

play(stage, [
    ["start, with a provider", begin],
    ["into a role, in Japanese", () => intoARole("ja")],
    ["the same in Chinese", () => intoARole("zh-CN")],
    ["a browser with another session", anotherSession],
    ["what a provider may not say", liesOfTheProvider],
    ["answers in another browser, and twice", stolenAnswers],
]);

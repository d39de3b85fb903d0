// Keys in the console in Debian's chromium: search, use and effect, import, files, signatures, deletion, proofs, the overview.
"use strict";

const assert = require("node:assert");
const crypto = require("node:crypto");
const { Stage, clean, play, press, texts } = require("./stage");

const stage = new Stage(process.argv[2]);
const hostile = `"'><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">{{7*7}}&lt;`;
let first;

const en = (id) => texts.en[id];

// Signed in by a link.
async function person(lang = "en", options = {}) {
    const opened = await stage.browserOf(lang, options);
    await opened.page.goto(first ?? stage.newLink());
    first = undefined;
    await opened.page.click("form:has([name=token]) button");
    await opened.page.waitForURL((url) => url.pathname !== "/sign-in");
    return opened;
}

const makeKey = (params = {}) => stage.call("CreateKey", params).KeyMetadata.KeyId;
const said = (page, text) => page.waitForFunction((text) => document.body.textContent.includes(text), text);
const ids = (page) => page.$$eval("#found tbody a", (links) => links.map((link) => link.textContent));

async function searching() {
    const [orders, invoices, tagged] = [
        makeKey({ Description: "the orders database" }), makeKey({ Description: "Invoices" }), makeKey(),
    ];
    stage.call("CreateAlias", { AliasName: "alias/shop/ORDERS-2", KeyId: invoices });
    stage.call("TagResource", { KeyId: tagged, Tags: JSON.stringify([{ TagKey: "team", TagValue: "reorders" }]) });
    stage.call("DisableKey", { KeyId: tagged });
    const { context, page } = await person();
    await page.goto(stage.base + "/keys");
    await clean(page);
    // One call for the page, and it tells everything.
    assert.deepEqual(await page.$$eval(".calls > section", (calls) => calls.map((call) => call.ariaLabel)), ["ListKeys"]);
    const row = page.locator("#found tbody tr", { hasText: invoices });
    assert.match(await row.textContent(), /alias\/shop\/ORDERS-2.*Invoices/);
    // While one types.
    await page.type("[name=find]", "orders");
    await page.waitForURL(/find=orders/);
    assert.deepEqual((await ids(page)).sort(), [orders, invoices, tagged].sort());
    await page.selectOption("[name=state]", "Disabled");
    await page.waitForFunction(() => document.querySelectorAll("#found tbody tr").length === 1);
    assert.deepEqual(await ids(page), [tagged]);
    assert.match(page.url(), /find=orders&state=Disabled/);
    await clean(page);
    await page.reload();
    assert.deepEqual(await ids(page), [tagged]);
    await page.fill("[name=find]", invoices.slice(-12));
    await page.selectOption("[name=state]", "");
    await page.waitForFunction((id) => document.querySelector("#found tbody a")?.textContent === id, invoices);
    await context.close();
    // The same by the form alone.
    const plain = await stage.browserOf("en", { javaScriptEnabled: false });
    const [address, token] = stage.newLink().split("#");
    await plain.page.goto(address);
    await plain.page.$eval("form:has([name=token])", (form) => form.closest("details")?.setAttribute("open", ""));
    await plain.page.fill("[name=token]", token);
    await Promise.all([plain.page.waitForNavigation(), plain.page.click("form:has([name=token]) button")]);
    await plain.page.goto(stage.base + "/keys");
    await plain.page.fill("[name=find]", "ORDERS data");
    await Promise.all([plain.page.waitForNavigation(), plain.page.click("form[role=search] button")]);
    assert.deepEqual(await ids(plain.page), [orders]);
    await plain.context.close();
}

// Who may list and not describe sees names, and finds nothing by what he may not read.
async function whatMayBeRead() {
    const secretive = makeKey({ Description: "merger with Example Corp" });
    stage.call("CreateUser", { UserName: "lister" });
    const document = JSON.stringify({ Version: "1", Statement: [{ Effect: "Allow", Action: "kms:ListKeys", Resource: "*" }] });
    stage.call("CreatePolicy", { PolicyName: "lister", PolicyDocument: document });
    stage.call("AttachPolicyToUser", { PolicyName: "lister", PolicyType: "Custom", UserName: "lister" });
    const opened = await stage.browserOf("ja");
    await opened.page.goto(stage.newLink("--user", "lister"));
    await opened.page.click("form:has([name=token]) button");
    await opened.page.waitForURL((url) => url.pathname !== "/sign-in");
    await opened.page.goto(stage.base + "/keys?find=" + secretive.slice(-12));
    assert.deepEqual(await ids(opened.page), [secretive]);
    assert(!(await opened.page.textContent("#found")).includes("merger"));
    await opened.page.goto(stage.base + "/keys?find=merger");
    assert.deepEqual(await ids(opened.page), []);
    await clean(opened.page);
    await opened.context.close();
}

async function useAndEffect() {
    const { context, page } = await person("ja");
    const key = makeKey({ Description: "in use" });
    await page.goto(`${stage.base}/keys/${key}/use`);
    assert.equal(await page.textContent("main .done"), texts.ja["break-nothing"]);
    stage.call("CreateAlias", { AliasName: "alias/in-use", KeyId: key });
    const call = { KeyId: "alias/in-use", Plaintext: "aGVsbG8=", EncryptionContext: JSON.stringify({ [hostile]: hostile }) };
    stage.call("Encrypt", call);
    stage.call("Encrypt", call);
    await page.reload();
    const effect = await page.textContent("#break");
    assert(effect.includes("root") && effect.includes("2") && effect.includes("alias/in-use"), effect);
    assert(effect.includes("<script>window.hacked"), "the context is shown as it is");
    assert.equal(await page.getAttribute("svg.chart", "aria-label"), texts.ja["use-chart"]);
    const bars = await page.$$eval("svg.chart .bar-good", (all) => all.filter((bar) => bar.getAttribute("height") !== "0").length);
    assert.equal(bars, 1, "one day has calls");
    await clean(page);
    // What was foretold happens.
    await page.goto(`${stage.base}/keys/${key}`);
    await press(page, `/keys/${key}/disable`);
    assert.equal(await page.textContent(".done"), texts.ja["done-disabled"]);
    await page.goto(`${stage.base}/keys/${key}/try`);
    await page.fill("[name=plaintext]", "hello");
    await press(page, `/keys/${key}/encrypt`);
    assert((await page.textContent(".refused")).includes(texts.ja["error-Rejected-Disabled"]));
    assert.equal(await page.inputValue("[name=plaintext]"), "hello");
    await page.goto(`${stage.base}/keys/${key}/use`);
    assert.match(await page.textContent("main .table"), /2/);
    await clean(page);
    await context.close();
}

async function importing() {
    const { context, page } = await person("zh-CN");
    const key = makeKey({ Origin: "EXTERNAL" });
    await page.goto(`${stage.base}/keys/${key}/import`);
    await clean(page);
    await press(page, `/keys/${key}/import-parameters`);
    await clean(page);
    const drop = (bytes) => page.evaluate((bytes) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "key.bin"));
        document.querySelector("[data-wrap]").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }, [...bytes]);
    await drop(crypto.randomBytes(500));
    await said(page, texts["zh-CN"]["import-too-long"]);
    const material = crypto.randomBytes(32);
    await drop(material);
    await said(page, texts["zh-CN"]["import-wrapped"]);
    const blob = Buffer.from(await page.inputValue("[name=EncryptedKeyMaterial]"), "base64");
    assert.equal(blob.length, 256);
    // A day that is none loses nothing.
    await page.fill("[name=expires]", "tomorrow");
    await press(page, `/keys/${key}/import`);
    assert((await page.textContent(".refused")).includes(texts["zh-CN"]["error-expires"]));
    assert.equal(await page.inputValue("[name=EncryptedKeyMaterial]"), blob.toString("base64"));
    await page.fill("[name=expires]", "2099-12-31");
    await press(page, `/keys/${key}/import`);
    assert.equal(await page.textContent(".done"), texts["zh-CN"]["done-imported"]);
    assert.match(await page.textContent(".timeline"), /2099-12-31/);
    await clean(page);
    const { CiphertextBlob } = stage.call("Encrypt", { KeyId: key, Plaintext: "aGVsbG8=" });
    assert.equal(stage.call("Decrypt", { CiphertextBlob }).Plaintext, "aGVsbG8=");
    // Other material is refused, in the reader's words, and the page is still there.
    await page.goto(`${stage.base}/keys/${key}/import`);
    await press(page, `/keys/${key}/import-parameters`);
    await drop(crypto.randomBytes(32));
    await said(page, texts["zh-CN"]["import-wrapped"]);
    await press(page, `/keys/${key}/import`);
    assert((await page.textContent(".refused")).includes(texts["zh-CN"]["error-InvalidKeyMaterial"]));
    await context.close();
}

async function signing() {
    const { context, page } = await person("ja");
    for (const spec of ["EC_P256", "RSA_2048", "EC_ED25519", "HMAC_SHA_256"]) {
        const usage = spec.startsWith("HMAC") ? "GENERATE/VERIFY_MAC" : "SIGN/VERIFY";
        const key = makeKey({ KeySpec: spec, KeyUsage: usage });
        await page.goto(`${stage.base}/keys/${key}`);
        await Promise.all([page.waitForNavigation(), page.click(`a[href="/keys/${key}/sign"]`)]);
        await page.fill("[name=message]", "契約書\n" + hostile);
        await page.click("main form button:not(.quiet)");
        await page.waitForSelector("#result");
        const signature = await page.textContent("#result code");
        if (spec === "RSA_2048" || spec === "EC_P256") {
            const { KeyVersions } = stage.call("ListKeyVersions", { KeyId: key });
            const version = KeyVersions.KeyVersion[0].KeyVersionId;
            const pem = stage.call("GetPublicKey", { KeyId: key, KeyVersionId: version }).PublicKey;
            const algorithm = await page.inputValue("[name=Algorithm]");
            const padding = algorithm === "RSA_PSS_SHA_256" ? { padding: crypto.constants.RSA_PKCS1_PSS_PADDING } : {};
            const text = Buffer.from("契約書\n" + hostile);
            assert(crypto.verify("sha256", text, { key: pem, ...padding }, Buffer.from(signature, "base64")), spec);
        }
        await clean(page);
        await page.click("main form button.quiet[formaction]");
        await page.waitForSelector("#verdict");
        assert.equal(await page.textContent("#verdict"), texts.ja["signature-genuine"]);
        await page.fill("[name=message]", "契約書 2");
        await Promise.all([page.waitForNavigation(), page.click("main form button.quiet[formaction]")]);
        const wrong = (await page.textContent("main .refused"));
        assert(wrong.includes(texts.ja["signature-wrong"]), wrong);
        assert.equal(await page.inputValue("[name=signature]"), signature);
        await clean(page);
    }
    const other = makeKey({ KeySpec: "EC_SM2", KeyUsage: "SIGN/VERIFY" });
    await page.goto(`${stage.base}/keys/${other}/sign`);
    await said(page, texts.ja["sign-not-here"]);
    await clean(page);
    await context.close();
}

async function files() {
    const { context, page } = await person("en", { acceptDownloads: true });
    const key = makeKey();
    await page.goto(`${stage.base}/keys/${key}/try`);
    const choose = (buffer) => page.setInputFiles("#plaintext-file", { name: hostile.replaceAll("/", ""), mimeType: "", buffer });
    await choose(Buffer.alloc(6145));
    await said(page, en("file-too-large"));
    const bytes = Buffer.from([0, 255, 10, 13, 13, 10]);
    await choose(bytes);
    await said(page, en("file-read"));
    await clean(page);
    await press(page, `/keys/${key}/encrypt`);
    await press(page, `/keys/${key}/decrypt`);
    assert.equal(await page.textContent("#result code"), bytes.toString("base64"));
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("[data-save] a")]);
    const saved = require("node:fs").readFileSync(await download.path());
    assert.deepEqual(saved, bytes);
    await clean(page);
    await context.close();
}

async function deleting() {
    const { context, page } = await person("ja");
    const key = makeKey({ Description: hostile });
    await page.goto(`${stage.base}/keys/${key}`);
    await page.click("main details summary");
    await page.fill("[name=confirm]", hostile);
    await press(page, `/keys/${key}/schedule-deletion`);
    assert((await page.textContent(".refused")).includes(texts.ja["error-confirm"]));
    assert.equal(await page.inputValue("[name=confirm]"), hostile);
    await page.click("main details summary");
    await page.fill("[name=confirm]", key);
    await press(page, `/keys/${key}/schedule-deletion`);
    assert(await page.isVisible(".timeline .to-come"));
    await clean(page);
    // The overview says so.
    await page.goto(stage.base + "/");
    assert(await page.isVisible(`#leaving a[href="/keys/${key}"]`));
    await page.goto(`${stage.base}/keys/${key}`);
    await press(page, `/keys/${key}/cancel-deletion`);
    await page.goto(stage.base + "/");
    assert(!await page.isVisible(`#leaving a[href="/keys/${key}"]`));
    await context.close();
}

async function overview() {
    const { context, page } = await person("zh-CN", { viewport: { width: 320, height: 640 }, colorScheme: "dark" });
    // A refusal, to be shown.
    await page.goto(stage.base + "/keys/00000000-0000-0000-0000-000000000000");
    await page.goto(stage.base + "/");
    assert.match(await page.textContent("main"), /Forbidden.KeyNotFound/);
    // Calls by the minute: this page has made some, and the refusal is one of them.
    assert((await page.textContent("main")).includes(texts["zh-CN"]["overview-calls-since"]));
    assert(Number(/[0-9]+/.exec(await page.textContent("#busiest"))[0]) > 1);
    assert.equal(await page.locator("svg.chart path").count(), 2);
    const hours = await page.$$eval("svg.chart ~ details tbody tr",
        (rows) => rows.map((row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent))));
    const sum = (at) => hours.reduce((all, row) => all + row[at], 0);
    assert(hours.length > 0 && sum(1) > 1 && sum(2) > 0, JSON.stringify(hours));
    const cards = await page.$$eval(".cards b", (all) => all.map((each) => Number(each.textContent)));
    assert.equal(cards.length, 5);
    assert(cards[0] > 0 && cards[1] > 0, String(cards));
    for (const where of ["/", "/keys", `/keys/${makeKey()}/use`, `/keys/${makeKey({ Origin: "EXTERNAL" })}/import`]) {
        await page.goto(stage.base + where);
        const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert(wide <= screen, `${where} is ${wide} wide`);
        await clean(page);
    }
    await page.goto(`${stage.base}/keys?unused=2099-01-01T00:00:00Z`);
    assert((await ids(page)).length > 0);
    await page.goto(`${stage.base}/keys?unused=2020-01-01T00:00:00Z`);
    assert.equal((await ids(page)).length, 0);
    await clean(page);
    await context.close();
}

// A bar of the time line narrows the search, by keyboard too, and what is shown are the events of that time alone.
async function timeLine(lang) {
    const { context, page } = await person(lang);
    const name = makeKey({ Description: "for the time line" });
    await page.goto(stage.base + "/audit?by=EventName&value=CreateKey");
    await clean(page);
    const all = await page.locator("tbody a[href^='/audit/']").count();
    const bar = page.locator("svg.chart a").last();
    const label = await bar.getAttribute("aria-label");
    const [allowed, refused] = (await page.locator("svg.chart ~ details tbody tr").last().locator("td").allTextContents()).slice(-2);
    assert(label.includes(allowed) && label.includes(refused), label);
    await bar.focus();
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    const query = new URL(page.url()).searchParams;
    assert.deepEqual([query.get("by"), query.get("value")], ["EventName", "CreateKey"]);
    const rows = await page.$$eval("tbody tr:has(a[href^='/audit/']) time", (times) => times.map((time) => time.dateTime));
    assert(rows.length > 0 && rows.length <= all);
    assert.equal(rows.length, Number(allowed) + Number(refused), "as many as the bar has");
    assert(rows.every((at) => query.get("from") <= at && at <= query.get("to")), `${rows} in ${query}`);
    await clean(page);
    await Promise.all([page.waitForNavigation(), page.click("#range a")]);
    assert.equal(await page.locator("#range").count(), 0);
    assert.equal(await page.locator("tbody a[href^='/audit/']").count(), all);
    // A range that ends before it begins is refused, in words.
    await page.goto(stage.base + "/audit?from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z");
    assert(await page.isVisible(".refused"));
    await page.goto(stage.base + `/audit?from=${encodeURIComponent(hostile)}&to=${encodeURIComponent(hostile)}`);
    await clean(page);
    assert(name);
    await context.close();
}

async function proving() {
    const { context, page } = await person("ja", { userAgent: "agent " + hostile });
    makeKey({ Description: hostile });
    await page.goto(stage.base + "/audit?by=EventName&value=CreateKey");
    await Promise.all([page.waitForNavigation(), page.click("tbody a[href^='/audit/']")]);
    await page.click(".verify button");
    await said(page, texts.ja["proof-good"]);
    await clean(page);
    // A proof that was changed on its way does not hold: the event, the path, the checkpoint, another event's.
    const event = new URL(page.url()).pathname;
    const genuine = await (await context.request.get(stage.base + event + "/proof")).json();
    const change = (base64) => (base64[0] === "A" ? "B" : "A") + base64.slice(1);
    for (const [what, changed] of Object.entries({
        event: { ...genuine, event: genuine.event.replace("CreateKey", "CreateKez") },
        index: { ...genuine, index: genuine.index + 1 },
        path: { ...genuine, proof: genuine.proof.map(change) },
        shorter: { ...genuine, proof: genuine.proof.slice(1) },
        checkpoint: { ...genuine, checkpoint: genuine.checkpoint.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) + 1}\n`) },
        signature: { ...genuine, checkpoint: genuine.checkpoint.replace(/(— \S+ .{20})(.)/, (_, head, c) => head + (c === "A" ? "B" : "A")) },
    })) {
        await page.route("**" + event + "/proof", (route) => route.fulfill({ json: changed }));
        await page.reload();
        await page.click(".verify button");
        await said(page, texts.ja["proof-bad"]);
        assert.equal(await page.getAttribute("#proof-verdict", "class"), "refused", what);
        await page.unroute("**" + event + "/proof");
    }
    await context.close();
}

async function screenshots() {
    const key = makeKey({ Description: "証明書" });
    stage.call("CreateAlias", { AliasName: "alias/certificates", KeyId: key });
    const shop = makeKey({ Description: "shop database" });
    stage.call("CreateAlias", { AliasName: "alias/shop", KeyId: shop });
    const EncryptionContext = JSON.stringify({ purpose: "cert" });
    for (let call = 0; call < 3; call++) stage.call("Encrypt", { KeyId: key, Plaintext: "aGVsbG8=", EncryptionContext });
    const { page } = await person("ja", { viewport: { width: 960, height: 720 } });
    const shot = (name) => page.screenshot({
        path: require("node:path").join(__dirname, "../../docs/console", name + ".png"), scale: "css",
    });
    await page.goto(`${stage.base}/keys/${key}/use`);
    await shot("use-ja");
    await page.goto(stage.base + "/language/zh-CN?back=/keys");
    await page.emulateMedia({ colorScheme: "dark" });
    await shot("keys-zh-CN-dark");
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(stage.base + "/language/en?back=/");
    await shot("overview-en");
}

(async () => {
    first = await stage.start();
    await stage.open();
    await play(stage, process.argv[3] === "--screenshots" ? [["screenshots", screenshots]] : [
        ["search while one types, and one call a page", searching],
        ["nothing is found by what one may not read", whatMayBeRead],
        ["who uses a key, and what disabling it does", useAndEffect],
        ["import by drag and drop", importing],
        ["sign and verify", signing],
        ["files", files],
        ["a deletion with the name typed", deleting],
        ["the overview, on a small screen in the dark", overview],
        ["the time line of events, in Japanese", () => timeLine("ja")],
        ["the time line of events, in Chinese", () => timeLine("zh-CN")],
        ["a proof verified in the page, and changed ones refused", proving],
    ]);
})();

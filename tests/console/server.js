// The pages about the service itself in Debian's chromium: whom they are shown to, and what they say.
"use strict";

const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { Stage, clean, play, texts } = require("./stage");

const [binary, mode] = process.argv.slice(2);
const stage = new Stage(binary);
const hostile = `"'><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">`;
const PAGES = [["/settings", "settings-title"], ["/cluster", "cluster-title"], ["/backups", "backups-title"]];

// The text of a catalogue with its values.
const told = (lang, id, values) => texts[lang][id].replace(/\{ \$(\w+) \}/g, (_, name) => values[name]);

// Starts with a configuration that holds a hostile text where it may hold any: the name of a log that has another already.
async function start() {
    const config = path.join(stage.work, "jomae.toml");
    const archive = path.join(stage.work, "archive-of-secrets");
    fs.mkdirSync(archive, { recursive: true });
    fs.writeFileSync(config, [
        `operator_accounts = ["only"]`,
        `[audit]`,
        `origin = ${JSON.stringify(hostile)}`,
        `[audit.archive]`,
        `to = ${JSON.stringify(archive)}`,
    ].join("\n") + "\n");
    return stage.start({ words: ["--config", config] });
}

async function person(lang, { words = [], ...options } = {}) {
    const { context, page } = await stage.browserOf(lang, options);
    const [address, token] = stage.newLink(...words).split("#");
    await page.goto(address);
    await page.evaluate((token) => {
        document.querySelector("[name=token]").value = token;
        document.querySelector("form:has([name=token])").submit();
    }, token);
    await page.waitForURL((url) => url.pathname !== "/sign-in");
    return { context, page };
}

async function go(page, where, status = 200) {
    const answer = await page.goto(stage.base + where);
    assert.equal(answer.status(), status, where);
    await clean(page);
}

function backUp() {
    const to = path.join(stage.work, "backups");
    const ran = spawnSync(binary, ["backup", "create", "--to", to, "--data-dir", stage.data], { encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
}

async function settings(lang) {
    const { context, page } = await person(lang);
    await page.click(`a[href="/settings"]`);
    await page.waitForURL("**/settings");
    for (const [where, title] of PAGES) {
        await go(page, where);
        assert.equal(await page.textContent("h1"), texts[lang][title]);
        assert.equal(await page.getAttribute(`nav.tabs a[href="${where}"]`, "aria-current"), "page");
        const calls = await page.textContent("details.calls");
        assert(calls.includes("jomae call DescribeServer") && calls.includes(`action_name="DescribeServer"`), calls);
        assert(!(await page.content()).includes(stage.work), "a place on the disk is shown");
    }
    await go(page, "/cluster");
    assert((await page.textContent("main")).includes(texts[lang]["cluster-alone"]));
    await go(page, "/settings");
    const rows = await page.locator("tbody tr").allTextContents();
    const value = (name) => rows.find((row) => row.startsWith(name))?.slice(name.length);
    assert.equal(value("console_listen"), new URL(stage.base).host);
    assert.equal(value("audit.archive.to"), "directory");
    assert.equal(value("backup.to"), texts[lang]["server-unset"]);
    assert.equal(value("audit.origin"), hostile);
    assert(rows.some((row) => row.startsWith("filefile")), "the slot of the root key: " + rows[0]);
    await context.close();
}

async function backups() {
    const { context, page } = await person("ja");
    await go(page, "/backups");
    assert.equal(await page.textContent("p.warning"), texts.ja["backups-none"]);
    backUp();
    await go(page, "/backups");
    const last = () => page.textContent("#last-backup");
    assert.equal(await last(), told("ja", "backups-minutes", { count: "0" }));
    assert((await page.textContent("main")).includes(texts.ja["backups-whole"]));
    backUp();
    await go(page, "/backups");
    assert((await page.textContent("main")).includes(texts.ja["backups-partial"]));
    await context.close();
    // A start knows of it, wherever the backup lies.
    await stage.stop();
    await start();
    const again = await person("zh-CN");
    await go(again.page, "/backups");
    assert.equal(await again.page.textContent("#last-backup"), told("zh-CN", "backups-minutes", { count: "0" }));
    await again.context.close();
}

async function rights() {
    stage.call("CreateUser", { UserName: "hanako" });
    const { context, page } = await person("ja", { words: ["--user", "hanako"] });
    await go(page, "/settings", 403);
    const refused = await page.textContent(".refused");
    assert(refused.includes(told("ja", "why-not-allowed", { permission: "kms:DescribeServer" })), refused);
    const document = { Version: "1", Statement: [{ Effect: "Allow", Action: "kms:DescribeServer", Resource: "*" }] };
    stage.call("CreatePolicy", { PolicyName: "watch", PolicyDocument: JSON.stringify(document) });
    stage.call("AttachPolicyToUser", { UserName: "hanako", PolicyName: "watch", PolicyType: "Custom" });
    await go(page, "/settings");
    assert.equal(await page.textContent("h1"), texts.ja["settings-title"]);
    await context.close();
}

// From the moment at which there are two accounts, none of them is the only one.
async function others() {
    const account = stage.call("GetCallerIdentity", {}).AccountId;
    const ran = spawnSync(binary, ["account", "create", "--name", "tenant", "--data-dir", stage.data], { encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
    const other = ran.stdout.match(/\b\d{16}\b/)[0];
    for (const [lang, id] of [["ja", account], ["zh-CN", other], ["en", other]]) {
        const { context, page } = await person(lang, { words: ["--account", id] });
        await go(page, "/");
        assert.equal(await page.locator(`a[href="/settings"]`).count(), 0, "a way to what is refused");
        for (const [where] of PAGES) {
            await go(page, where, 403);
            const main = await page.textContent("main");
            assert(main.includes(texts[lang]["error-Forbidden-NotOperator"]), main);
            assert(main.includes(texts[lang]["server-other-account"]), main);
            assert.equal(await page.textContent("pre.copy"), `operator_accounts = ["${id}"]`);
            assert(!main.includes("audit.durability"), "the settings are shown");
        }
        await context.close();
    }
}

async function smallAndDark() {
    const { context, page } = await person("ja", { viewport: { width: 320, height: 640 }, colorScheme: "dark" });
    for (const [where] of PAGES) {
        await go(page, where);
        const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert(wide <= screen, `${where} is ${wide} wide`);
    }
    await context.close();
}

async function screenshots() {
    backUp();
    const { page } = await person("ja", { viewport: { width: 960, height: 720 } });
    await page.goto(stage.base + "/backups");
    await page.screenshot({ path: path.join(__dirname, "../../docs/console/backups-ja.png"), scale: "css" });
}

const opened = ["start", async () => {
    await stage.start();
    await stage.stop();
    await start();
    await stage.open();
}];
play(stage, mode === "--screenshots" ? [opened, ["pictures", screenshots]] : [
    opened,
    ["settings, in Japanese", () => settings("ja")],
    ["settings, in Chinese", () => settings("zh-CN")],
    ["settings, in English", () => settings("en")],
    ["backups", backups],
    ["a small screen in the dark", smallAndDark],
    ["a user without the right, and with it", rights],
    ["accounts that are not named", others],
]);

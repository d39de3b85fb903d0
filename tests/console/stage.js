// A service, a browser, and what tests of the console do with both.
"use strict";

const assert = require("node:assert");
const { execFileSync, spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// Every text, as the catalogues have it, by language and id.
const texts = Object.fromEntries(["ja", "zh-CN", "en"].map((lang) => {
    const dir = path.join(__dirname, "../../crates/jomae-console/locales", lang);
    const all = fs.readdirSync(dir).map((file) => fs.readFileSync(path.join(dir, file), "utf8")).join("\n");
    const lines = all.split("\n").filter((line) => line.includes(" = "));
    return [lang, Object.fromEntries(lines.map((line) => line.split(/ = (.*)/).slice(0, 2)))];
}));

class Stage {
    constructor(binary) {
        this.binary = binary;
        this.work = fs.mkdtempSync(path.join(os.tmpdir(), "jomae-console-"));
        this.data = path.join(this.work, "data");
        // All that the service has written, beside its data.
        this.said = "";
    }

    // Starts the service, the second time with what the first one has left. Gives the printed link, if there is one.
    async start({ words = [], port = 0 } = {}) {
        const where = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--console-listen", `127.0.0.1:${port}`];
        this.server = spawn(this.binary, ["serve", "--data-dir", this.data, ...where, ...words],
            { stdio: ["ignore", "pipe", "pipe"] });
        let said = "";
        for (const stream of [this.server.stdout, this.server.stderr]) {
            stream.on("data", (bytes) => { this.said += bytes; });
        }
        this.server.stdout.on("data", (bytes) => { said += bytes; });
        const deadline = Date.now() + 60_000;
        while (!/Console: \S+\n.*\n/.test(said)) {
            assert(this.server.exitCode === null && Date.now() < deadline, "the server does not start: " + said);
            await new Promise((done) => setTimeout(done, 50));
        }
        this.base = said.match(/Console: (https:\/\/\S+)/)[1];
        return said.match(/https:\/\/\S+\/sign-in#\S+/)?.[0];
    }

    async stop() {
        if (this.server?.exitCode === null) {
            this.server.kill();
            await new Promise((done) => this.server.on("exit", done));
        }
    }

    async open() {
        this.browser = await chromium.launch({
            executablePath: "/usr/bin/chromium",
            args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync"],
        });
    }

    async close() {
        await this.browser?.close();
        await this.stop();
        fs.rmSync(this.work, { recursive: true, force: true });
    }

    settings() {
        const env = { PATH: process.env.PATH };
        const shell = execFileSync("sh", ["-c", `. "$0" && env -0`, path.join(this.data, "env")], { env });
        return Object.fromEntries(shell.toString().split("\0").filter(Boolean).map((line) => line.split(/=(.*)/s).slice(0, 2)));
    }

    // A call by the account itself; what it answers.
    call(action, params) {
        const words = Object.entries(params).flatMap(([name, value]) => ["--" + name, value]);
        const ran = spawnSync(this.binary, ["call", action, ...words], { env: this.settings(), encoding: "utf8" });
        assert.equal(ran.status, 0, `${action}: ${ran.stderr}`);
        return JSON.parse(ran.stdout);
    }

    newLink(...words) {
        const ran = spawnSync(this.binary, ["console", "link", "--data-dir", this.data, ...words], { encoding: "utf8" });
        assert.equal(ran.status, 0, ran.stderr);
        return ran.stdout.trim();
    }

    // A browser of its own.
    async browserOf(lang = "en", options = {}) {
        const context = await this.browser.newContext({ locale: lang, ignoreHTTPSErrors: true, ...options });
        const page = await context.newPage();
        page.on("dialog", (dialog) => { throw new Error("a dialog: " + dialog.message()); });
        page.on("console", (message) => {
            // Blocked by the policy of the page, or broken.
            if (message.type() === "error" && /Content Security Policy|TypeError|SyntaxError/.test(message.text())) {
                throw new Error(message.text());
            }
        });
        return { context, page };
    }
}

// No script of anybody else has run, and a screen reader finds its way.
async function clean(page) {
    assert.equal(await page.evaluate(() => window.hacked), undefined, "a script has run on " + page.url());
    // By the protocol of the debugger: the policy of the page lets no script of others in.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    const found = violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(found, [], page.url());
}

async function press(page, action) {
    await Promise.all([page.waitForNavigation(), page.click(`form[action="${action}"] button`)]);
}

// Runs steps one after the other, each with its name, and ends the process.
async function play(stage, steps) {
    let status = 0;
    try {
        for (const [name, doing] of steps) {
            const began = Date.now();
            await doing();
            console.log(`${name}: ok, ${((Date.now() - began) / 1000).toFixed(1)} s`);
        }
    } catch (error) {
        console.error(error, stage.said.split("\n").slice(-20).join("\n"));
        status = 1;
    }
    await stage.close();
    process.exit(status);
}

module.exports = { Stage, clean, play, press, texts };

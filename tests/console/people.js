// People and their rights in Debian's chromium: users, groups, roles, the editor of policies, simulations.
"use strict";

const assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const { Stage, clean, play, texts } = require("./stage");

const stage = new Stage(process.argv[2]);
const hostile = `"'><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">{{7*7}}&lt;`;
let account;
let key;

const path = (page) => new URL(page.url()).pathname;
const done = async (page, lang, id) => assert.equal(await page.textContent("p.done"), texts[lang]["done-" + id]);

// The text of a catalogue with its values.
const told = (lang, id, values) =>
    texts[lang][id].replace(/\{ \$(\w+) \}/g, (_, name) => values[name]);

async function person(lang, { user, ...options } = {}) {
    const { context, page } = await stage.browserOf(lang, options);
    const link = user ? stage.newLink("--user", user) : stage.newLink();
    const [address, token] = link.split("#");
    await page.goto(address);
    await page.evaluate((token) => {
        document.querySelector("[name=token]").value = token;
        document.querySelector("form:has([name=token])").submit();
    }, token);
    await page.waitForURL((url) => url.pathname !== "/sign-in");
    return { context, page };
}

async function go(page, where) {
    await page.goto(stage.base + where);
    await clean(page);
}

async function fill(page, fields) {
    for (const [name, value] of Object.entries(fields)) await page.fill(`[name=${name}]`, value);
}

// The button of a form that does one thing; a page has several.
async function act(page, action, name) {
    const button = page.locator(`form[action="${action}"] button[type=submit]`, name ? { hasText: name } : {}).first();
    await Promise.all([page.waitForNavigation(), button.click()]);
}

function policy(action, more = {}) {
    const statement = { Effect: "Allow", Action: action, Resource: "*", ...more };
    return JSON.stringify({ Version: "1", Statement: [statement] }, null, 2);
}

function as(user, words, input = "") {
    const made = stage.call("CreateAccessKey", { UserName: user }).AccessKey;
    const env = {
        ...stage.settings(),
        ALIBABA_CLOUD_ACCESS_KEY_ID: made.AccessKeyId,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: made.AccessKeySecret,
    };
    return (more = []) => spawnSync(stage.binary, [...words, ...more], { env, input, encoding: "utf8" });
}

async function aGroup(lang) {
    const { context, page } = await person(lang);
    const [user, group, name] = ["u-" + lang, "g-" + lang, "p-" + lang];
    await go(page, "/people");
    await fill(page, { UserName: user, DisplayName: "Hanako", Comments: "経理 财务" });
    await act(page, "/people/new");
    await done(page, lang, "user-created");
    await clean(page);
    await go(page, "/groups");
    await fill(page, { GroupName: group, Comments: "those who encrypt" });
    await act(page, "/groups/new");
    await done(page, lang, "group-created");
    await go(page, "/policies/new");
    await fill(page, { PolicyName: name, Description: "encrypts", PolicyDocument: policy("kms:Encrypt") });
    await act(page, "/policies/new");
    await done(page, lang, "policy-created");
    await clean(page);
    const encrypt = as(user, ["encrypt", "--key", key], "text");
    assert.notEqual(encrypt().status, 0, "nothing is allowed yet");
    await go(page, "/groups/" + group);
    await fill(page, { PolicyName: name });
    await act(page, `/groups/${group}/attach`);
    await done(page, lang, "attached");
    await fill(page, { UserName: user });
    await act(page, `/groups/${group}/add`);
    await done(page, lang, "member-added");
    await clean(page);
    const allowed = encrypt();
    assert.equal(allowed.status, 0, allowed.stderr);
    // The same from the user's page; the age and the last use of the key are there.
    await go(page, "/people/" + user);
    const row = await page.textContent("tbody tr:first-child");
    assert(row.includes(told(lang, "days", { days: "0" })), row);
    await act(page, `/people/${user}/leave`);
    await done(page, lang, "member-removed");
    assert.notEqual(encrypt().status, 0, "the right has gone with the membership");
    // What hangs on a user keeps it from being deleted, and is named.
    await page.click("main > details:not(.calls) summary");
    await act(page, `/people/${user}/delete`);
    assert((await page.textContent(".refused")).includes(texts[lang]["error-DeleteConflict-User-AccessKey"]));
    await act(page, `/people/${user}/disable-access-key`);
    await done(page, lang, "access-key-disabled");
    await act(page, `/people/${user}/delete-access-key`);
    await done(page, lang, "access-key-deleted");
    await page.click("main > details:not(.calls) summary");
    await act(page, `/people/${user}/delete`);
    await done(page, lang, "user-deleted");
    await context.close();
}

async function aPassword() {
    stage.call("CreateUser", { UserName: "jiro" });
    const { context, page } = await person("ja");
    await go(page, "/people/jiro");
    await fill(page, { Password: "short" });
    await act(page, "/people/jiro/set-login");
    assert((await page.textContent(".refused")).includes(texts.ja["error-InvalidParameter-Password-TooWeak"]));
    await fill(page, { Password: "a-Long-passphrase-9" });
    await act(page, "/people/jiro/set-login");
    await done(page, "ja", "login-set");
    assert.equal(stage.call("GetLoginProfile", { UserName: "jiro" }).LoginProfile.PasswordResetRequired, true);
    await clean(page);
    await fill(page, { Password: "tooshort" });
    await page.evaluate(() => { document.querySelector("[name=Password]").value = "abc-secret"; });
    await act(page, "/people/jiro/change-login");
    assert(!(await page.content()).includes("abc-secret"), "a password is never shown again");
    await act(page, "/people/jiro/remove-login");
    await done(page, "ja", "login-removed");
    await context.close();
}

const MISTAKE = policy(["kms:Encrypt", "kms:Decrpyt"]);

async function theEditor(lang) {
    const { context, page } = await person(lang);
    await go(page, "/policies/new");
    const wrong = told(lang, "check-wrong-statement", {
        line: "8", column: "9", statement: "1", element: "Action", reason: texts[lang]["mistake-the-service-has-no-such-action"],
    });
    const finding = page.locator("#finding");
    // While it is typed.
    await page.fill("[name=PolicyDocument]", MISTAKE);
    await finding.filter({ hasText: wrong }).waitFor();
    assert.equal(await page.getAttribute("textarea", "aria-invalid"), "true");
    await clean(page);
    await finding.locator("button").click();
    const chosen = await page.$eval("textarea", (text) => text.value.slice(text.selectionStart, text.selectionStart + 13));
    assert.equal(chosen, '"kms:Decrpyt"');
    await page.fill("[name=PolicyDocument]", "{");
    await finding.filter({ hasText: texts[lang]["mistake-it-is-not-a-json-object"] }).waitFor();
    // An action is completed by keyboard.
    const begun = MISTAKE.indexOf("kms:Decrpyt");
    await page.fill("[name=PolicyDocument]", MISTAKE);
    await page.$eval("textarea", (text, [from, to]) => text.setSelectionRange(from, to), [begun, begun + 11]);
    await page.keyboard.type("kms:decry");
    await page.keyboard.press("Control+Space");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "kms:Decrypt");
    await clean(page);
    await page.keyboard.press("Enter");
    assert.equal(await page.inputValue("textarea"), MISTAKE.replace("Decrpyt", "Decrypt"));
    await finding.filter({ hasText: texts[lang]["check-good"] }).waitFor();
    // What is refused stays as it was typed, with the place of the mistake.
    await fill(page, { PolicyName: "wrong", Description: "kept", PolicyDocument: MISTAKE });
    await act(page, "/policies/new");
    assert((await page.textContent(".refused")).includes(texts[lang]["error-MalformedPolicyDocument"]));
    assert.equal((await finding.textContent()).trim(), wrong);
    assert.equal(await page.inputValue("[name=Description]"), "kept");
    assert.equal(await page.inputValue("textarea"), MISTAKE);
    await clean(page);
    await context.close();
}

async function withoutScripts() {
    const { context, page } = await stage.browserOf("ja", { javaScriptEnabled: false, viewport: { width: 320, height: 640 } });
    const [address, token] = stage.newLink().split("#");
    await page.goto(address);
    const more = page.locator("#by-link summary");
    if (await more.count() > 0) await more.click();
    await page.fill("[name=token]", token);
    await Promise.all([page.waitForNavigation(), page.locator("form", { has: page.locator("[name=token]") }).locator("button").click()]);
    await page.goto(stage.base + "/policies/new");
    await fill(page, { PolicyName: "plain", PolicyDocument: MISTAKE });
    await act(page, "/policies/new", texts.ja["check"]);
    assert.match(await page.textContent("#finding"), /^8 行 9 文字目/);
    assert.equal(await page.inputValue("textarea"), MISTAKE);
    await fill(page, { PolicyDocument: policy("kms:Encrypt") });
    await act(page, "/policies/new", texts.ja["check"]);
    assert.equal(await page.textContent("#finding"), texts.ja["check-good"]);
    await act(page, "/policies/new", texts.ja["create-policy"]);
    await done(page, "ja", "policy-created");
    await context.close();
}

async function versions() {
    const { context, page } = await person("zh-CN");
    stage.call("CreatePolicy", { PolicyName: "changing", PolicyDocument: policy("kms:Encrypt") });
    await go(page, "/policies/Custom/changing/edit");
    await fill(page, { PolicyDocument: policy("kms:Decrypt") });
    await act(page, "/policies/Custom/changing/edit", texts["zh-CN"]["check"]);
    assert((await page.textContent(".difference del")).includes("kms:Encrypt"), "the draft beside the version in force");
    await clean(page);
    await act(page, "/policies/Custom/changing/edit", texts["zh-CN"]["version-save"]);
    await done(page, "zh-CN", "version-saved");
    await clean(page);
    assert.equal(await page.inputValue("[name=from]"), "v1");
    assert.equal(await page.inputValue("[name=to]"), "v2");
    await Promise.all([page.waitForNavigation(), page.click('form[action$="/compare"] button')]);
    assert.match(await page.textContent(".difference del"), /^- .*kms:Encrypt/);
    assert.match(await page.textContent(".difference ins"), /^\+ .*kms:Decrypt/);
    assert.equal(await page.locator(".difference del, .difference ins").count(), 2);
    await clean(page);
    await go(page, "/policies/Custom/changing");
    await act(page, "/policies/Custom/changing/set-default");
    await done(page, "zh-CN", "version-in-force");
    assert.match(stage.call("GetPolicy", { PolicyType: "Custom", PolicyName: "changing" }).DefaultPolicyVersion.PolicyDocument, /Encrypt/);
    // Five versions are the most.
    for (const _ of [3, 4, 5]) {
        stage.call("CreatePolicyVersion", { PolicyName: "changing", PolicyDocument: policy("kms:Sign*", { Effect: "Deny" }).replace("Sign", "Asymmetric") });
    }
    await go(page, "/policies/Custom/changing/edit");
    await act(page, "/policies/Custom/changing/edit", texts["zh-CN"]["version-save"]);
    assert((await page.textContent(".refused")).includes(texts["zh-CN"]["error-LimitExceeded-Policy-Version"]));
    await page.check("[name=rotate]");
    await act(page, "/policies/Custom/changing/edit", texts["zh-CN"]["version-save"]);
    await done(page, "zh-CN", "version-saved");
    await page.click("main > details:not(.calls) summary");
    await act(page, "/policies/Custom/changing/delete");
    assert((await page.textContent(".refused")).includes(texts["zh-CN"]["error-DeleteConflict-Policy-Version"]));
    await page.click("main > details:not(.calls) summary");
    await page.check("[name=CascadingDelete]");
    await act(page, "/policies/Custom/changing/delete");
    await done(page, "zh-CN", "policy-deleted");
    await context.close();
}

async function simulations(lang) {
    const { context, page } = await person(lang);
    const [user, name] = ["s-" + lang, "only-cert-" + lang];
    stage.call("CreateUser", { UserName: user });
    const condition = { Condition: { StringEquals: { "kms:EncryptionContext/purpose": "cert" } } };
    stage.call("CreatePolicy", { PolicyName: name, PolicyDocument: policy("kms:Decrypt", condition) });
    stage.call("AttachPolicyToUser", { PolicyName: name, PolicyType: "Custom", UserName: user });
    const arn = stage.call("DescribeKey", { KeyId: key }).KeyMetadata.Arn;
    const ask = async (value) => {
        await go(page, `/simulate?kind=user&name=${user}`);
        await fill(page, { action: "kms:Decrypt", resource: arn, simulate_context_name: "purpose", simulate_context_value: value });
        await act(page, "/simulate");
        await clean(page);
        return page.textContent("#answer");
    };
    const yes = await ask("cert");
    assert(yes.includes(texts[lang]["simulate-allowed"]), yes);
    assert(yes.includes(told(lang, "reason-allowed", { policy: name, statement: "1" })), yes);
    const no = await ask("other");
    assert(no.includes(texts[lang]["simulate-denied"]), no);
    const why = { policy: name, statement: "1", operator: "StringEquals", key: "kms:EncryptionContext/purpose" };
    const english = /kms:EncryptionContext.purpose/.exec(no)?.[0];
    assert(no.includes(told(lang, "reason-condition", { ...why, key: english })), no);
    // What is wrong with a question is told, and the question stays.
    await fill(page, { action: "kms:Decrpyt" });
    await act(page, "/simulate");
    assert((await page.textContent(".refused")).includes(texts[lang]["error-simulate-permission"]));
    assert.equal(await page.inputValue("[name=simulate_context_value]"), "other");
    await fill(page, { action: "kms:Decrypt", name: "nobody" });
    await act(page, "/simulate");
    assert((await page.textContent(".refused")).includes(texts[lang]["error-EntityNotExist-User"]));
    await context.close();
}

async function aReplay(lang) {
    const { context, page } = await person(lang);
    const [user, name] = ["r-" + lang, "replayed-" + lang];
    stage.call("CreateUser", { UserName: user });
    stage.call("CreatePolicy", { PolicyName: name, PolicyDocument: policy("kms:Encrypt") });
    stage.call("AttachPolicyToUser", { PolicyName: name, PolicyType: "Custom", UserName: user });
    const call = as(user, ["call"]);
    assert.equal(call(["Encrypt", "--KeyId", key, "--Plaintext", "dGV4dA=="]).status, 0);
    assert.notEqual(call(["DescribeKey", "--KeyId", key]).status, 0);
    // From the editor, with what was written there.
    await go(page, `/policies/Custom/${name}/edit`);
    await fill(page, { PolicyDocument: policy("kms:DescribeKey") });
    await Promise.all([page.waitForNavigation(), page.click('button[formaction="/replay"]')]);
    assert.equal(await page.inputValue("[name=place_name]"), name);
    await clean(page);
    await act(page, "/replay");
    const found = await page.textContent("#answer");
    assert(found.includes(texts[lang]["replay-denied"] + " 1") && found.includes(texts[lang]["replay-allowed"] + " 1"), found);
    assert(found.includes("kms:Encrypt") && found.includes("kms:DescribeKey") && found.includes("user/" + user), found);
    assert(found.includes(texts[lang]["reason-nothing-allows"]), found);
    await clean(page);
    await fill(page, { place_name: "nothing" });
    await act(page, "/replay");
    assert((await page.textContent(".refused")).includes(texts[lang]["error-simulate-policy"]));
    await fill(page, { place_name: name, PolicyDocument: MISTAKE });
    await act(page, "/replay");
    assert((await page.textContent(".refused")).includes(texts[lang]["error-MalformedPolicyDocument"]));
    assert.equal(await page.inputValue("textarea"), MISTAKE);
    await context.close();
}

async function aRole() {
    const { context, page } = await person("ja");
    stage.call("CreateUser", { UserName: "taker" });
    stage.call("AttachPolicyToUser", { PolicyName: "AliyunSTSAssumeRoleAccess", PolicyType: "System", UserName: "taker" });
    const trust = (who) => JSON.stringify({ Version: "1", Statement: [{ Effect: "Allow", Action: "sts:AssumeRole",
        Principal: { RAM: [`acs:ram::${account}:${who}`] } }] }, null, 2);
    await go(page, "/roles");
    await fill(page, { RoleName: "signer", Description: "署名する", MaxSessionDuration: "7200", PolicyDocument: trust("taker") });
    await page.locator("#finding.bad").waitFor();
    await act(page, "/roles/new");
    assert((await page.textContent(".refused")).includes(texts.ja["error-MalformedPolicyDocument"]));
    assert.match(await page.textContent("#finding"), /^9 行 11 文字目、ステートメント 1 の Principal/);
    await fill(page, { PolicyDocument: trust("user/taker") });
    await act(page, "/roles/new");
    await done(page, "ja", "role-created");
    await clean(page);
    const take = as("taker", ["call", "AssumeRole", "--RoleArn", `acs:ram::${account}:role/signer`, "--RoleSessionName", "test"]);
    const taken = take();
    assert.equal(taken.status, 0, taken.stderr);
    await fill(page, { PolicyDocument: trust("user/jiro") });
    await act(page, "/roles/signer/trust");
    await done(page, "ja", "trust-saved");
    assert.notEqual(take().status, 0, "the role trusts somebody else now");
    await fill(page, { PolicyName: "AliyunKMSReadOnlyAccess" });
    await page.selectOption("[name=PolicyType]", "System");
    await act(page, "/roles/signer/attach");
    await done(page, "ja", "attached");
    await clean(page);
    await act(page, "/roles/signer/detach");
    await done(page, "ja", "detached");
    await page.click("main > details:not(.calls) summary");
    await act(page, "/roles/signer/delete");
    await done(page, "ja", "role-deleted");
    await context.close();
}

async function withoutRights(lang) {
    const user = "nobody-" + lang;
    stage.call("CreateUser", { UserName: user });
    const { context, page } = await person(lang, { user });
    const missing = (permission) => told(lang, "why-not-allowed", { permission });
    for (const [where, list, create] of [
        ["/people", "ram:ListUsers", "ram:CreateUser"],
        ["/groups", "ram:ListGroups", "ram:CreateGroup"],
        ["/roles", "ram:ListRoles", "ram:CreateRole"],
        ["/policies", "ram:ListPolicies", "ram:CreatePolicy"],
    ]) {
        await go(page, where);
        assert((await page.textContent(".refused")).includes(missing(list)), where);
        assert((await page.textContent(".not-offered")).includes(missing(create)), where);
        assert.equal(await page.locator(`form[action="${where}/new"]`).count(), 0, "nothing is offered that is refused");
    }
    await go(page, "/simulate?kind=user&name=" + user);
    await fill(page, { action: "kms:ListKeys" });
    await act(page, "/simulate");
    assert((await page.textContent(".refused")).includes(missing("ram:ListPoliciesForUser")));
    await go(page, "/replay");
    await fill(page, { PolicyDocument: policy("*"), place_name: "x" });
    await act(page, "/replay");
    assert((await page.textContent(".refused")).includes(missing("actiontrail:LookupEvents")));
    // Who may read the lists and the log, but no policy, is told nothing about policies either.
    const allowed = ["ram:List*", "actiontrail:*", "ram:GetUser"];
    stage.call("CreatePolicy", { PolicyName: user, PolicyDocument: policy(allowed) });
    stage.call("AttachPolicyToUser", { PolicyName: user, PolicyType: "Custom", UserName: user });
    for (const [where, fields] of [
        ["/simulate", { name: user, action: "kms:ListKeys" }],
        ["/replay", { PolicyDocument: policy("*"), place_name: user }],
    ]) {
        await go(page, where);
        await fill(page, fields);
        await act(page, where);
        assert((await page.textContent(".refused")).includes(missing("ram:GetPolicy")), where);
        assert.equal(await page.locator("#answer").count(), 0);
    }
    await go(page, "/people/" + user);
    const offered = await page.textContent("main");
    assert(offered.includes(missing("ram:DeleteUser")) && offered.includes(missing("ram:AttachPolicyToUser")), offered);
    assert.equal(await page.locator('main form[action^="/people/"]').count(), 0);
    // A form that was not offered is refused all the same.
    const token = await page.inputValue("[name=form_token]");
    const form = { form_token: token, PolicyName: "AdministratorAccess", PolicyType: "System" };
    const forced = await context.request.post(stage.base + `/people/${user}/attach`, { form, headers: { Origin: stage.base } });
    assert.equal(forced.status(), 403);
    await context.close();
}

/// One policy is kept from somebody who may read all others: neither a question nor a replay tells what it says.
async function onePolicyIsKept() {
    const reader = "reader-of-most";
    const statements = [
        { Effect: "Allow", Action: ["ram:List*", "ram:Get*", "actiontrail:*", "kms:*"], Resource: "*" },
        { Effect: "Deny", Action: "ram:GetPolicy", Resource: `acs:ram:*:${account}:policy/kept-secret` },
    ];
    stage.call("CreatePolicy", { PolicyName: "kept-secret", PolicyDocument: policy("kms:Encrypt") });
    stage.call("CreatePolicy", { PolicyName: reader, PolicyDocument: JSON.stringify({ Version: "1", Statement: statements }) });
    for (const [user, name] of [["whom-it-binds", "kept-secret"], [reader, reader]]) {
        stage.call("CreateUser", { UserName: user });
        stage.call("AttachPolicyToUser", { PolicyName: name, PolicyType: "Custom", UserName: user });
    }
    const arn = stage.call("DescribeKey", { KeyId: key }).KeyMetadata.Arn;
    assert.equal(as("whom-it-binds", ["call"])(["Encrypt", "--KeyId", key, "--Plaintext", "dGV4dA=="]).status, 0);
    const { context, page } = await person("en", { user: reader });
    for (const [where, fields] of [
        ["/simulate", { name: "whom-it-binds", action: "kms:Encrypt", resource: arn }],
        ["/replay", { PolicyDocument: policy("kms:DescribeKey"), place_name: "whom-it-binds" }],
    ]) {
        await go(page, where);
        if (where === "/replay") await page.selectOption("[name=place]", "user");
        await fill(page, fields);
        await act(page, where);
        const refused = await page.textContent(".refused");
        assert(refused.includes("ram:GetPolicy"), `${where}: ${refused}`);
        assert(!(await page.textContent("main")).includes("kept-secret"), where);
        assert.equal(await page.locator("#answer").count(), 0);
    }
    // Of others the answer is there.
    await go(page, "/replay");
    await page.selectOption("[name=place]", "user");
    await fill(page, { PolicyDocument: policy("kms:DescribeKey"), place_name: reader });
    await act(page, "/replay");
    assert.equal(await page.locator("#answer").count(), 1);
    await context.close();
}

async function hostileTexts() {
    const { context, page } = await person("en", { userAgent: "agent " + hostile });
    for (const [where, action, fields] of [
        ["/people", "/people/new", { UserName: hostile, DisplayName: hostile, Comments: hostile }],
        ["/groups", "/groups/new", { GroupName: hostile, Comments: hostile }],
        ["/roles", "/roles/new", { RoleName: hostile, Description: hostile, PolicyDocument: hostile }],
        ["/policies/new", "/policies/new", { PolicyName: hostile, Description: hostile, PolicyDocument: hostile }],
        ["/simulate", "/simulate", { name: hostile, action: hostile, resource: hostile, source_ip: hostile }],
        ["/replay", "/replay", { PolicyDocument: hostile, place_name: hostile }],
    ]) {
        await go(page, where);
        await fill(page, fields);
        await act(page, action);
        assert(await page.isVisible(".refused"), where);
        for (const [name, value] of Object.entries(fields)) assert.equal(await page.inputValue(`[name=${name}]`), value, name);
        await clean(page);
    }
    // What the service takes as comments and descriptions is shown as what it is.
    await go(page, "/people");
    await fill(page, { UserName: "odd", Comments: hostile });
    await act(page, "/people/new");
    await go(page, "/groups");
    await fill(page, { GroupName: "odd", Comments: hostile });
    await act(page, "/groups/new");
    await fill(page, { UserName: "odd" });
    await act(page, "/groups/odd/add");
    await go(page, "/policies/new");
    const document = policy("kms:Encrypt", { Condition: { StringEquals: { "kms:EncryptionContext/a": hostile } } });
    await fill(page, { PolicyName: "odd", Description: hostile, PolicyDocument: document });
    await act(page, "/policies/new");
    assert((await page.textContent("main pre")).includes("window.hacked"));
    await fill(page, {});
    for (const where of ["/people", "/people/odd", "/groups", "/groups/odd", "/policies", "/policies/Custom/odd", "/policies/Custom/odd/edit"]) {
        await go(page, where);
        assert((await page.textContent("main")).includes("window.hacked") || where.endsWith("edit"), where);
    }
    const encoded = encodeURIComponent(hostile);
    for (const where of [
        `/groups/${encoded}`, `/roles/${encoded}`, `/policies/${encoded}/${encoded}`, `/policies/Custom/${encoded}/edit`,
        `/policies/Custom/odd/compare?from=${encoded}&to=${encoded}`, `/people?marker=${encoded}`, `/policies?kind=${encoded}`,
        `/simulate?kind=${encoded}&name=${encoded}`,
    ]) {
        await go(page, where);
    }
    // A check is asked for with the session's token, as everything.
    const check = (form) => context.request.post(stage.base + "/policies/check", { form, headers: { Origin: stage.base } });
    assert.equal((await check({ PolicyDocument: "{}", form: "identity" })).status(), 403);
    const token = await page.inputValue("[name=form_token]");
    const answer = await check({ form_token: token, PolicyDocument: hostile, form: "identity" });
    assert.match(answer.headers()["content-type"], /^application\/json/);
    assert.equal((await answer.json()).line, 1);
    await context.close();
}

async function paging() {
    for (let number = 0; number < 51; number++) stage.call("CreateGroup", { GroupName: "many-" + String(number).padStart(2, "0") });
    const { context, page } = await person("en");
    await go(page, "/groups");
    const first = await page.locator("tbody tr").count();
    assert.equal(first, 50);
    await Promise.all([page.waitForNavigation(), page.click(".paging a[rel=next]")]);
    await clean(page);
    assert(await page.locator("tbody tr", { hasText: "many-50" }).count() === 1);
    await Promise.all([page.waitForNavigation(), page.click(".paging a")]);
    assert.equal(await page.locator("tbody tr").count(), 50);
    await context.close();
}

async function smallAndDark() {
    const { context, page } = await person("ja", { viewport: { width: 320, height: 640 }, colorScheme: "dark" });
    for (const where of [
        "/people", "/people/odd", "/groups", "/groups/odd", "/roles", "/policies", "/policies?kind=System",
        "/policies/System/AdministratorAccess", "/policies/Custom/odd", "/policies/new", "/simulate", "/replay",
    ]) {
        await go(page, where);
        const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert(wide <= screen, `${where} is ${wide} wide`);
    }
    await context.close();
}

play(stage, [
    ["start", async () => {
        await stage.start();
        await stage.open();
        account = stage.call("GetCallerIdentity", {}).AccountId;
        key = stage.call("CreateKey", {}).KeyMetadata.KeyId;
    }],
    ["the right of a group, in Japanese", () => aGroup("ja")],
    ["the right of a group, in Chinese", () => aGroup("zh-CN")],
    ["a password, set and removed", aPassword],
    ["the editor, in Japanese", () => theEditor("ja")],
    ["the editor, in Chinese", () => theEditor("zh-CN")],
    ["the editor, in English", () => theEditor("en")],
    ["the editor without scripts", withoutScripts],
    ["versions and their differences", versions],
    ["simulations, in Japanese", () => simulations("ja")],
    ["simulations, in English", () => simulations("en")],
    ["a replay, in Japanese", () => aReplay("ja")],
    ["a replay, in Chinese", () => aReplay("zh-CN")],
    ["a role and its trust policy", aRole],
    ["somebody without rights, in Chinese", () => withoutRights("zh-CN")],
    ["one policy that is kept from its reader", onePolicyIsKept],
    ["hostile texts", hostileTexts],
    ["a long list", paging],
    ["a small screen in the dark", smallAndDark],
]);

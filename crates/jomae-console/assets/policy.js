// The editor of policies: checks while one types, and completes actions and resources. Without it, a button checks.
"use strict";

const editor = document.querySelector("[data-check]");
const text = editor.querySelector("textarea");
const finding = document.getElementById("finding");
const list = document.getElementById("suggestions");
const words = Array.from(document.querySelectorAll("#policy-words option"), (option) => option.value);
const SHOWN_MAX = 8;

// Where a line and a column are, which count characters and not the units of a string.
function offsetOf(line, column) {
    const lines = text.value.split("\n");
    const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    return before + Array.from(lines[line - 1] ?? "").slice(0, column - 1).join("").length;
}

let asked = 0;
async function check() {
    const number = ++asked;
    const token = text.form.elements.form_token.value;
    const sent = new URLSearchParams({ form_token: token, form: editor.dataset.form, PolicyDocument: text.value });
    const answer = await fetch(editor.dataset.check, { method: "POST", body: sent });
    if (!answer.ok || !/json/.test(answer.headers.get("content-type"))) return;
    const found = await answer.json();
    if (number !== asked) return;
    finding.textContent = found.text;
    finding.className = found.good ? "good" : "bad";
    text.setAttribute("aria-invalid", String(!found.good));
    if (found.good) return;
    const go = document.createElement("button");
    go.type = "button";
    go.className = "quiet";
    go.textContent = editor.dataset.go;
    go.addEventListener("click", () => {
        const at = offsetOf(found.line, found.column);
        text.focus();
        text.setSelectionRange(at, at + 1);
    });
    finding.append(" ", go);
}

function complete(word, begun) {
    const at = text.selectionStart;
    text.setRangeText(word, at - begun.length, at, "end");
    list.hidden = true;
    text.focus();
    later();
}

function suggest() {
    const begun = text.value.slice(0, text.selectionStart).match(/"([^"\n]*)$/)?.[1] ?? "";
    const small = begun.toLowerCase();
    const fit = begun.length < 2 ? [] : words.filter((word) => word.toLowerCase().startsWith(small) && word !== begun);
    list.replaceChildren(...fit.slice(0, SHOWN_MAX).map((word) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "quiet";
        button.textContent = word;
        button.addEventListener("click", () => complete(word, begun));
        item.append(button);
        return item;
    }));
    list.hidden = fit.length === 0;
}

let timer;
function later() {
    clearTimeout(timer);
    timer = setTimeout(() => check().catch(() => {}), 400);
}

text.addEventListener("input", () => {
    suggest();
    later();
});
text.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.code === "Space" && !list.hidden) {
        event.preventDefault();
        list.querySelector("button").focus();
    }
});
list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
        list.hidden = true;
        text.focus();
    } else if (step) {
        event.preventDefault();
        const buttons = Array.from(list.querySelectorAll("button"));
        buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
    }
});

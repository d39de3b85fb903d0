// Comfort only: every page works without it, but that the token of a sign-in link has to be pasted by hand then, and that
// browsers have passkeys for scripts alone.
"use strict";

const body = document.body.dataset;

// The token of the link stands in the fragment, which no browser sends to any server.
const token = document.getElementById("token");
if (token && location.hash.length > 1) {
    token.value = location.hash.slice(1);
    // Whoever has come by a link is not asked for a password first.
    const byLink = document.getElementById("by-link");
    byLink.open = true;
    document.querySelector("main h1").after(byLink);
    history.replaceState(null, "", location.pathname + location.search);
}

// Beside UTC, the time where the reader is.
function localTimes(where) {
    for (const time of where.querySelectorAll("time[datetime]")) {
        const date = new Date(time.dateTime);
        if (Number.isNaN(date.getTime())) continue;
        const local = date.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
        const text = document.createElement("span");
        text.className = "local";
        text.textContent = body.local + " " + local;
        time.after(" ", text);
    }
}
localTimes(document);

for (const block of document.querySelectorAll("pre.copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = body.copy;
    button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(block.textContent);
        button.textContent = body.copied;
    });
    block.after(button);
}

// What was signed out is not shown again by the back button.
window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
});

if (document.querySelector("[data-passkey]")) import("/assets/passkeys.js");
if (document.querySelector("[data-check]")) import("/assets/policy.js");
if (document.querySelector("[data-search], [data-load], [data-wrap], [data-file], [data-save], [data-proof]")) {
    import("/assets/keys.js");
}

// Comfort of the pages about keys and the log: search as one types, wrapping of key material, files, checking of proofs.
"use strict";

const FILE_BYTES_MAX = 6144;
const bytesOf = (text) => new TextEncoder().encode(text);
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const toBase64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));

// A part of another page of ours in the place of the part of this one.
async function replacePart(id, url) {
    const answer = await fetch(url);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.getElementById(id);
    if (!part || answer.redirected) {
        location.assign(url);
        return;
    }
    document.getElementById(id).replaceWith(part);
    localTimes(part);
}

for (const form of document.querySelectorAll("form[data-search]")) {
    let timer;
    let asked = 0;
    let running;
    const search = async () => {
        const number = ++asked;
        const url = form.action + "?" + new URLSearchParams(new FormData(form));
        running?.abort();
        running = new AbortController();
        const answer = await fetch(url, { signal: running.signal });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (number !== asked) return;
        const part = page.getElementById(form.dataset.search);
        if (!part || answer.redirected) return location.assign(url);
        document.getElementById(form.dataset.search).replaceWith(part);
        localTimes(part);
        history.replaceState(null, "", url);
    };
    const later = () => {
        clearTimeout(timer);
        timer = setTimeout(() => search().catch(() => {}), 300);
    };
    form.addEventListener("input", later);
}

for (const part of document.querySelectorAll("[data-load]")) replacePart(part.id, part.dataset.load).catch(() => {});

// What is dropped on a part goes into its file input.
function takeDrops(part, input) {
    part.addEventListener("dragover", (event) => {
        event.preventDefault();
        part.classList.add("over");
    });
    part.addEventListener("dragleave", () => part.classList.remove("over"));
    part.addEventListener("drop", (event) => {
        event.preventDefault();
        part.classList.remove("over");
        if (event.dataTransfer.files.length === 0) return;
        input.files = event.dataTransfer.files;
        input.dispatchEvent(new Event("change"));
    });
}

for (const part of document.querySelectorAll("[data-wrap]")) {
    const input = part.querySelector("input[type=file]");
    const status = part.querySelector("[role=status]");
    takeDrops(part, input);
    input.addEventListener("change", async () => {
        const [file] = input.files;
        if (!file) return;
        const { wrap, wrapped, tooLong, failed } = part.dataset;
        try {
            const algorithm = { name: "RSA-OAEP", hash: "SHA-256" };
            const key = await crypto.subtle.importKey("spki", fromBase64(wrap), algorithm, false, ["encrypt"]);
            // The length of the modulus, less two hashes and two bytes (RFC 8017 section 7.1.1).
            if (file.size === 0 || file.size > key.algorithm.modulusLength / 8 - 66) {
                status.textContent = tooLong;
                return;
            }
            const material = new Uint8Array(await file.arrayBuffer());
            const blob = await crypto.subtle.encrypt(algorithm, key, material);
            material.fill(0);
            input.form.elements.EncryptedKeyMaterial.value = toBase64(blob);
            status.textContent = wrapped;
        } catch {
            status.textContent = failed;
        } finally {
            input.value = "";
        }
    });
}

for (const part of document.querySelectorAll("[data-file]")) {
    const input = part.querySelector("input[type=file]");
    const status = part.querySelector("[role=status]");
    takeDrops(part, input);
    input.addEventListener("change", async () => {
        const field = input.form.elements[part.dataset.file];
        field.value = "";
        const [file] = input.files;
        if (!file) {
            status.textContent = "";
        } else if (file.size > FILE_BYTES_MAX) {
            status.textContent = part.dataset.tooLarge;
        } else {
            field.value = toBase64(await file.arrayBuffer());
            status.textContent = part.dataset.read + " " + file.name;
        }
    });
}

for (const part of document.querySelectorAll("[data-save]")) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([fromBase64(part.dataset.save)]));
    link.download = "plaintext.bin";
    link.textContent = part.dataset.label;
    part.append(link);
}

// ---- proofs: docs/formats.md ----

const sha256 = async (...parts) => {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
    return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
};
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);

// The root that a leaf and its path make (RFC 9162 section 2.1.3.2).
async function rootOf(leaf, index, size, path) {
    let [node, last, hash] = [index, size - 1, leaf];
    for (const next of path) {
        if (last === 0) throw new Error("the path is too long");
        if (node % 2 === 1 || node === last) {
            hash = await sha256([1], next, hash);
            while (node % 2 === 0 && node !== 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
        } else {
            hash = await sha256([1], hash, next);
        }
        [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
    }
    if (last !== 0) throw new Error("the path is too short");
    return hash;
}

// Whether a proof shows that this event is in the log of this key. Throws if it does not.
async function check(proof, vkey, eventId) {
    const [name, id, encoded] = vkey.trim().split("+").reduce((parts, part) => {
        // The key itself may hold plus signs.
        if (parts.length < 3) parts.push(part);
        else parts[2] += "+" + part;
        return parts;
    }, []);
    const raw = fromBase64(encoded);
    if (raw[0] !== 1 || raw.length !== 33) throw new Error("no Ed25519 key");
    const end = proof.checkpoint.indexOf("\n\n");
    const text = proof.checkpoint.slice(0, end + 1);
    const start = "\u2014 " + name + " ";
    const line = proof.checkpoint.slice(end + 2).split("\n").find((each) => each.startsWith(start));
    const signature = fromBase64(line.slice(start.length));
    const hex = Array.from(signature.slice(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join("");
    const keyId = (await sha256(bytesOf(name + "\n"), raw)).slice(0, 4);
    if (hex !== id || !same(keyId, signature.slice(0, 4))) throw new Error("signed by another key");
    const key = await crypto.subtle.importKey("raw", raw.slice(1), "Ed25519", false, ["verify"]);
    if (!await crypto.subtle.verify("Ed25519", key, signature.slice(4), bytesOf(text))) throw new Error("not signed");
    const [origin, size, root] = text.split("\n");
    if (origin !== name) throw new Error("another log");
    if (JSON.parse(proof.event).eventId !== eventId) throw new Error("another event");
    if (!Number.isSafeInteger(proof.index) || proof.index < 0 || proof.index >= Number(size)) throw new Error("no such index");
    const leaf = await sha256([0], bytesOf(proof.event));
    const made = await rootOf(leaf, proof.index, Number(size), proof.proof.map(fromBase64));
    if (!same(made, fromBase64(root))) throw new Error("not under this root");
}

for (const part of document.querySelectorAll("[data-proof]")) {
    const verdict = part.querySelector("[role=status]");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = part.dataset.label;
    const say = (text, looks) => {
        verdict.textContent = text;
        verdict.className = looks;
    };
    button.addEventListener("click", async () => {
        const [proof, key] = await Promise.all([fetch(part.dataset.proof), fetch(part.dataset.key)]);
        if (!/json/.test(proof.headers.get("content-type")) || !key.ok) return say(part.dataset.notYet, "refused");
        try {
            await crypto.subtle.generateKey("Ed25519", false, ["verify", "sign"]);
        } catch {
            return say(part.dataset.cannot, "refused");
        }
        try {
            await check(await proof.json(), await key.text(), part.dataset.event);
            say(part.dataset.good, "done");
        } catch (error) {
            say(part.dataset.bad + " (" + error.message + ")", "refused");
        }
    });
    part.prepend(button);
}

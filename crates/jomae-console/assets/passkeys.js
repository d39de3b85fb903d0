// Passkeys: between the browser's `navigator.credentials` and forms of ours. What is checked is checked by the service.
"use strict";

const toBase64 = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""));
const fromBase64Url = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const known = (list) => list.map(({ id, transports }) => ({ type: "public-key", id: fromBase64Url(id), transports }));

// What goes into the form of whoever makes a passkey.
async function make(options) {
    const { token, user, excludeCredentials, challenge, ...rest } = options;
    const publicKey = {
        ...rest,
        challenge: fromBase64Url(challenge),
        user: { ...user, id: fromBase64Url(user.id) },
        excludeCredentials: known(excludeCredentials),
    };
    const { response } = await navigator.credentials.create({ publicKey });
    return {
        Challenge: token,
        ClientDataJSON: toBase64(response.clientDataJSON),
        AttestationObject: toBase64(response.attestationObject),
        Transports: response.getTransports?.().join(",") ?? "",
    };
}

// And of whoever signs in.
async function show(options) {
    const { allowCredentials, challenge, ...rest } = options;
    const publicKey = { ...rest, challenge: fromBase64Url(challenge), allowCredentials: known(allowCredentials) };
    const { rawId, response } = await navigator.credentials.get({ publicKey });
    return {
        credential_id: toBase64(rawId),
        client_data: toBase64(response.clientDataJSON),
        authenticator_data: toBase64(response.authenticatorData),
        signature: toBase64(response.signature),
        user_handle: response.userHandle ? toBase64(response.userHandle) : "",
    };
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button");
    const trouble = (name) => {
        for (const text of form.querySelectorAll("[data-trouble]")) text.hidden = text.dataset.trouble !== name;
    };
    if (!window.PublicKeyCredential) {
        trouble("unknown");
        button.disabled = true;
        continue;
    }
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        trouble();
        button.disabled = true;
        try {
            const answer = await fetch(form.dataset.passkey, { method: "POST", body: new URLSearchParams(new FormData(form)) });
            // The session has ended, or the password is no longer shown: the form's own page says so.
            if (!answer.ok || answer.redirected) return form.submit();
            const options = await answer.json();
            const given = await (options.user ? make(options) : show(options));
            for (const [name, value] of Object.entries(given)) form.elements[name].value = value;
            form.submit();
        } catch {
            trouble("failed");
        } finally {
            button.disabled = false;
        }
    });
}

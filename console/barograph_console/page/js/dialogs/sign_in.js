// @ts-check
// Sign-in over the page, which stays where it was.

import { open } from "../dom/dialog.js";
import { el, text } from "../dom/el.js";
import { post } from "../link/api.js";

/** @typedef {import("../link/api.js").Problem} Problem */

/** @type {HTMLDialogElement | null} */
let shown = null;

/** @param {unknown} error */
export function refusedWords(error) {
  const { status, detail } = /** @type {Problem} */ (error);
  if (status === 429) return "Too many tries: wait a minute.";
  return status === 401 ? "This token is not valid." : `Not signed in: ${detail}.`;
}

/** @param {import("../state/app.js").App} app */
export function signIn(app) {
  if (!app.is_signed_out || shown) return;
  const token = el("input", { type: "password", id: "token", name: "token", autocomplete: "current-password", required: true, spellcheck: "false" });
  const failed = el("p", { class: "failed", role: "alert" });
  const button = el("button", { class: "primary" }, "Sign in");
  const form = el("form", null, el("h2", null, "Sign in"), el("p", { class: "meta" }, "The console wants a token. barograph token create makes one."),
    el("input", { name: "username", autocomplete: "username", value: "barograph", hidden: true }), el("label", { for: "token" }, "Token"), token, failed, button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    post("/session", { token: token.value.trim() }).then(
      (session) => {
        app.session = { ...app.session, ...session };
        shown?.close();
      },
      (error) => {
        button.disabled = false;
        text(failed, refusedWords(error));
        token.select();
      },
    );
  });
  const onClose = () => {
    shown = null;
    app.signedIn();
  };
  shown = open({ name: "sign-in", label: "Sign in", onClose }, form);
  // There is nothing behind it to go back to.
  shown.addEventListener("cancel", (event) => event.preventDefault());
}

// @ts-check
// Who acts: the name of the token, or, where no token is set, the name that a person gave this browser.

import { open } from "../dom/dialog.js";
import { el } from "../dom/el.js";

const KEPT = "barograph.name";

/** What a request says about who asks; `null` when a person would not say.
 * @param {import("../state/app.js").App} app @returns {Promise<{actor?: string} | null>} */
export async function nameOf(app) {
  if (app.session.name) return {};
  const kept = localStorage.getItem(KEPT);
  if (kept) return { actor: kept };
  const given = await asked();
  if (!given) return null;
  localStorage.setItem(KEPT, given);
  return { actor: given };
}

/** @returns {Promise<string>} */
function asked() {
  return new Promise((answer) => {
    let given = "";
    const field = el("input", { id: "name", name: "name", required: true, maxLength: 60, autocomplete: "nickname", spellcheck: "false" });
    const form = el("form", null, el("label", { for: "name" }, "Your name"), el("p", { class: "meta" }, "Others see who acts. No token is set that would tell."), field,
      el("div", { class: "actions" }, el("button", { class: "primary" }, "Go on"), el("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      given = field.value.trim();
      if (given) dialog.close();
    });
    const dialog = open({ name: "ask", label: "Your name", onClose: () => answer(given) }, form);
    field.focus();
  });
}

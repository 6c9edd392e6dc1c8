// @ts-check
// Dialogs that give the focus back to what opened them.

import { el } from "./el.js";

/** Open a modal dialog; it is removed when it closes.
 * @param {{name: string, label: string, onClose?: () => void}} options @param {Node[]} content @returns {HTMLDialogElement} */
export function open({ name, label, onClose }, ...content) {
  const before = document.activeElement;
  const dialog = el("dialog", { class: name, "aria-label": label }, ...content);
  dialog.addEventListener("close", () => {
    const told = dialog.querySelector("#toast");
    if (told) document.body.append(told);
    dialog.remove();
    onClose?.();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  });
  // A click on the ground next to the dialog hits the dialog itself.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && name !== "sign-in") dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** @param {string} question @param {string} action @returns {Promise<boolean>} */
export function ask(question, action) {
  return new Promise((answer) => {
    let isYes = false;
    const yes = () => {
      isYes = true;
      dialog.close();
    };
    const dialog = open(
      { name: "ask", label: question, onClose: () => answer(isYes) },
      el("p", null, question),
      el("div", { class: "actions" }, el("button", { class: "primary", onclick: yes }, action), el("button", { onclick: () => dialog.close(), autofocus: true }, "Cancel")),
    );
  });
}

// @ts-check
// The form of a page that was opened signed out: after it the page is there, at the same address.

import { byId, text } from "../dom/el.js";
import { post } from "../link/api.js";
import { refusedWords } from "./sign_in.js";

const token = /** @type {HTMLInputElement} */ (byId("token"));

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  post("/session", { token: token.value.trim() }).then(
    () => location.reload(),
    (error) => {
      text(byId("failed"), refusedWords(error));
      token.select();
    },
  );
});

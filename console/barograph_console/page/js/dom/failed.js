// @ts-check
// The line in a panel whose question failed; what the panel held stays.

import { el } from "./el.js";

/** @param {unknown} error @param {() => void} retry */
export const failed = (error, retry) => el("p", { class: "failed" }, `Could not be read (${/** @type {Error} */ (error).message}). `, el("button", { onclick: retry }, "Retry"));

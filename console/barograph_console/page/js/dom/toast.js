// @ts-check
// A line that says what an action did; it leaves by itself.

import { byId, el } from "./el.js";

const SHOWN_MS = 8_000;
let timer = 0;

/** @param {string} words @param {{words: string, act: () => void}} [offer] What a button in it does. */
export function toast(words, offer) {
  const place = byId("toast");
  const leave = () => {
    place.hidden = true;
    place.replaceChildren();
  };
  const act = () => {
    leave();
    offer?.act();
  };
  // Under an open dialog nothing else can be reached: the line goes into it.
  ([...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body).append(place);
  place.replaceChildren(el("p", null, words), ...(offer ? [el("button", { onclick: act }, offer.words)] : []));
  place.hidden = false;
  clearTimeout(timer);
  timer = window.setTimeout(leave, SHOWN_MS);
}

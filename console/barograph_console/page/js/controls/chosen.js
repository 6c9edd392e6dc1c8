// @ts-check
// What to do with a span that was chosen by dragging.

import { later } from "../dialogs/loading.js";
import { byId, el, style } from "../dom/el.js";

/** @typedef {import("../state/app.js").App} App */

/** The choice after a drag. @param {App} app @param {number} from_ms @param {number} to_ms @param {number} x */
export function chosen(app, from_ms, to_ms, x) {
  const place = byId("chosen");
  const span = widened(app, from_ms, to_ms);
  const done = () => hideChosen();
  const zoom = el("button", { class: "primary", onclick: () => { done(); app.change(span, { push: true }); } }, "Zoom");
  const within = el("button", { onclick: () => { done(); void later().then(({ whatIsIn }) => whatIsIn(app, span.from_ms, span.to_ms)); } }, "What is in here?");
  place.replaceChildren(el("p", null, `${app.times.exact(span.from_ms)} to ${app.times.exact(span.to_ms)}`), zoom, within);
  place.hidden = false;
  style(place, "left", `${Math.max(8, Math.min(x - place.offsetWidth / 2, byId("strips").clientWidth - place.offsetWidth - 8))}px`);
  zoom.focus({ preventScroll: true });
}

/** @returns {boolean} Whether there was one. */
export function hideChosen() {
  const was = !byId("chosen").hidden;
  byId("chosen").hidden = true;
  const selection = document.querySelector(".selection");
  if (selection instanceof HTMLElement) selection.hidden = true;
  return was;
}

/** Whole points: only those are stored. @param {App} app @param {number} from_ms @param {number} to_ms */
function widened(app, from_ms, to_ms) {
  const step = app.state?.series.step_ms ?? 10_000;
  return { from_ms: Math.floor(from_ms / step) * step, to_ms: Math.ceil(to_ms / step) * step };
}

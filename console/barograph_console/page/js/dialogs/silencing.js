// @ts-check
// Silences: an alert is muted for a while, and that is ended; shown at once, taken back when the console refuses.

import { el, text } from "../dom/el.js";
import { toast } from "../dom/toast.js";
import { newKey, post, remove } from "../link/api.js";
import { clean } from "../words/format.js";
import { refused, retried, show, undo } from "./acting.js";
import { nameOf } from "./naming.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").Alert} Alert */
/** @typedef {import("../types").Silence} Silence @typedef {import("../link/api.js").Problem} Problem */

/** What is sent, and what people read; without an end it lasts until what it mutes is resolved. @type {[string, string][]} */
const SPANS = [["1h", "1 h"], ["4h", "4 h"], ["1d", "1 d"], ["", "until resolved"]];

/** Exactly this alert: its rule, its service and its labels; a pushed one by the name that it was pushed under. @param {Alert} alert */
const matchersOf = (alert) => Object.entries({ alertname: alert.rule.replace(/^ext\//, ""), service: alert.service, ...alert.labels }).map(([name, value]) => ({ name, value }));

/** Mute exactly this alert. @param {App} app @param {Alert} alert @param {{lasts?: string, comment?: string}} [said] */
export async function silence(app, alert, { lasts = "1h", comment = "" } = {}) {
  const actor = await nameOf(app);
  if (!actor || !app.state) return;
  const before = alert.silenced_by ?? [];
  mute(app, alert.id, [...before, "asked"]);
  try {
    /** @type {Silence} */
    const made = await retried((key) => post("/silences", { matchers: matchersOf(alert), lasts, comment, ...actor }, key));
    mute(app, alert.id, [...before, made.id]);
    app.state.silences = [...app.state.silences.filter((one) => one.id !== made.id), made];
    app.touch("alerts");
    app.undo = () => void end(app, made);
    toast(`${clean(alert.rule, 60)} is silenced ${lasts ? `for ${SPANS.find(([sent]) => sent === lasts)?.[1] ?? lasts}` : "until it is resolved"}.`, { words: "Undo", act: () => undo(app) });
  } catch (error) {
    mute(app, alert.id, before);
    refused(app, /** @type {Problem} */ (error), "Not silenced");
  }
}

/** End a silence; what it muted is read again. @param {App} app @param {Silence} one */
export async function end(app, one) {
  const actor = await nameOf(app);
  if (!actor) return;
  app.undo = null;
  try {
    await retried((key) => remove(`/silences/${one.id}`, actor, key));
    toast("The silence is over.");
  } catch (error) {
    refused(app, /** @type {Problem} */ (error), "Not ended");
  }
  void app.load();
}

/** The form in the drawer, with what it would mute now. @param {App} app @param {Alert} alert @returns {Node[]} */
export function silenceForm(app, alert) {
  const span = el("select", { id: "silence-span", "aria-label": "How long" }, ...SPANS.map(([sent, words]) => el("option", { value: sent }, words)));
  const comment = el("input", { id: "silence-comment", maxLength: 300, placeholder: "Why (optional)", "aria-label": "Why" });
  const form = el("form", { class: "silence" }, el("span", { class: "choice" }, span), comment, el("button", null, "Silence"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void silence(app, alert, { lasts: span.value, comment: comment.value.trim() });
  });
  const words = Object.entries({ rule: alert.rule, ...alert.labels }).map(([name, value]) => `${name}=${clean(value, 60)}`).join(", ");
  const mutes = el("p", { class: "meta" }, el("bdi", null, words));
  void post("/silences/preview", { matchers: matchersOf(alert) }, newKey()).then(
    ({ alerts }) => text(/** @type {Node} */ (mutes.firstChild), `${words}. Mutes ${alerts === 1 ? "1 alert" : `${alerts} alerts`} now.`),
    () => {},
  );
  return [el("h3", null, "Silence"), form, mutes];
}

/** @param {App} app @param {string} id @param {string[]} by */
function mute(app, id, by) {
  const now = app.state?.alerts.get(id);
  if (now) show(app, id, { ...now, silenced_by: by });
}

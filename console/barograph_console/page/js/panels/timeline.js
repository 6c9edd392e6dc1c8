// @ts-check
// What happened, newest first: transitions of alerts, deliveries, what people did, markers.

import { Rows, byId, el, text } from "../dom/el.js";
import { failed } from "../dom/failed.js";
import { get } from "../link/api.js";
import { clean, words, duration } from "../words/format.js";

const SHOWN = 40;
/** @typedef {{at_ms: number, key: string, name: string, what: string, kind: string}} Happening */

/** What a person or time did to an alert besides its state. @param {any} entry */
const deed = (entry) => (entry.flag === "acknowledged" ? "acknowledged" : entry.reason === "ack_expired" ? "acknowledgement ran out" : "acknowledgement taken back");

/** A silence: that it was made, and that a person ended it. @param {any} one @returns {Happening[]} */
function silence(one) {
  const name = clean(one.matchers.join(", "), 120);
  const note = one.comment ? `: ${clean(one.comment, 120)}` : "";
  const made = { at_ms: one.starts_at_ms, key: `s${one.id}`, name, kind: "hand", what: ` silenced by ${clean(one.actor, 40)}${note}` };
  return one.ended_by ? [made, { at_ms: one.ends_at_ms, key: `e${one.id}`, name, kind: "hand", what: ` silence ended by ${clean(one.ended_by, 40)}` }] : [made];
}

/** Whether a silence may be about this service. @param {any} one @param {string} service */
const isAbout = (one, service) => one.matchers.every((/** @type {string} */ words) => !/^service=/.test(words) || words.replace(/^service=~?"?|"$/g, "") === service || words.startsWith("service=~"));

/** @param {any} entry @returns {Happening} */
function happening(entry) {
  const rule = clean(entry.rule ?? "", 60);
  if (entry.is_delivery) {
    const late = typeof entry.delay_ms === "number" ? `, ${words(duration(entry.delay_ms))}` : "";
    return { at_ms: entry.at_ms, key: `d${entry.entry_id ?? entry.at_ms}${entry.channel}`, name: rule, kind: "sent", what: ` ${clean(entry.result ?? "sent", 40)}, ${clean(entry.channel, 40)}${late}` };
  }
  const by = entry.actor ? ` by ${clean(entry.actor, 40)}` : "";
  const note = entry.note ? `: ${clean(entry.note, 120)}` : "";
  if (entry.flag) return { at_ms: entry.at_ms, key: `a${entry.entry_id}`, name: rule, kind: "hand", what: ` ${deed(entry)}${by}${note}` };
  const what = entry.reason === "reminder" ? "reminder" : entry.to === "inactive" ? "cleared before it fired" : entry.to;
  return { at_ms: entry.at_ms, key: `a${entry.entry_id}`, name: rule, kind: entry.to === "firing" ? `mark-${entry.severity}` : entry.to,
    what: ` ${what}${entry.reason && entry.reason !== "reminder" ? `, ${clean(entry.reason, 60).replaceAll("_", " ")}` : ""}${by}${note}` };
}

/** " deployed, ci" @param {import("../types").Marker} marker */
function did({ kind, actor }) {
  const what = kind === "release" ? "first seen" : kind === "deploy" ? "deployed" : clean(kind, 32);
  return ` ${what}${actor ? `, ${clean(actor, 40)}` : ""}`;
}

/** @param {import("../state/app.js").App} app */
export function timelinePanel(app) {
  const place = byId("timeline-list");
  const rows = new Rows(place, (/** @type {Happening} */ first) => {
    const time = el("time");
    const node = el("li", null, time, el("i", { class: `dot ${first.kind}`, "aria-hidden": "true" }), el("p", null, el("b", null, el("bdi", null, first.name)), el("bdi", null, first.what)));
    return { node, update: (now) => text(time, app.times.near(now.at_ms, app.now())) };
  });
  /** @type {Error | null} */
  let shown = null;
  /** Those that have ended, too. @type {any[]} */
  let silences = [];
  const read = async () => {
    const answer = await get("/silences", { ended: "true" }).catch(() => null);
    if (answer) silences = answer.silences;
    draw();
  };
  const draw = () => {
    if (!app.state) return;
    const releases = app.state.markers.map((one) => ({ at_ms: one.at_ms, key: `m${one.key}`, name: clean(one.title, 60), what: did(one), kind: "release" }));
    const muted = silences.filter((one) => isAbout(one, app.view.service)).flatMap(silence);
    const all = [...app.log.map(happening), ...muted, ...releases].sort((a, b) => b.at_ms - a.at_ms).slice(0, SHOWN);
    rows.show(all, (one) => one.key);
    byId("timeline-none").hidden = all.length > 0;
    const { log_problem } = app;
    if (shown === log_problem) return;
    shown = log_problem;
    byId("timeline-failed").replaceChildren(...(shown ? [failed(shown, () => void app.loadLog())] : []));
  };
  return (/** @type {Set<string>} */ changed) => {
    if (changed.has("log")) void read();
    if (["log", "overview", "view", "alerts"].some((part) => changed.has(part))) draw();
  };
}

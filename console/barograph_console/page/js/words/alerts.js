// @ts-check
// What is said about alerts, and in which order they are shown.

import { clean, plural, share, span } from "./format.js";

/** @typedef {import("../types").Alert} Alert */

export const SEVERITIES = ["info", "warning", "error", "critical"];
// A route and the version behind it often have the same share: both are named.
const NEAR = 0.1;
const STATES = ["firing", "acknowledged", "pending", "silenced", "resolved"];

/** The state people act on: an acknowledged or silenced alert fires, but no one has to look. @param {Alert} alert */
export function standing(alert) {
  if (alert.state === "firing" && (alert.silenced_by?.length || alert.inhibited_by?.length)) return "silenced";
  return alert.state === "firing" && alert.ack ? "acknowledged" : alert.state;
}

/** When it began to fire, or the breach began. @param {Alert} alert */
export const begun = (alert) => alert.fired_at_ms ?? alert.started_at_ms;

/** "12 s", or while it is held "12 s of 30 s". @param {Alert} alert @param {number} now_ms */
export function lasting(alert, now_ms) {
  if (alert.state !== "pending") return span(now_ms - begun(alert));
  const held_ms = Math.max(0, now_ms - (alert.pending_since_ms ?? begun(alert)));
  return alert.for_ms ? `${span(Math.min(held_ms, alert.for_ms))} of ${span(alert.for_ms)}` : span(held_ms);
}

/** ", no events": why it fires or goes on, where its condition does not say it. @param {Alert} alert */
export const cause = (alert) => (alert.reason ? `, ${clean(alert.reason, 60).replaceAll("_", " ")}` : "");

/** Firing first, then worst, then oldest. @param {Iterable<Alert>} alerts */
export function inOrder(alerts) {
  return [...alerts].sort(
    (a, b) =>
      STATES.indexOf(standing(a)) - STATES.indexOf(standing(b)) ||
      SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity) ||
      begun(a) - begun(b) ||
      (a.id < b.id ? -1 : 1),
  );
}

/** `route /predict, instance api-3`. @param {Record<string, string>} labels */
export function labelWords({ method, route, ...labels }) {
  // A method and a route are one name.
  const rest = method && route ? { route: `${method} ${route}` } : method ? { method } : route ? { route } : {};
  return Object.entries({ ...rest, ...labels })
    .map(([name, value]) => `${name === "version" && !("model" in labels) ? "model version" : clean(name, 40)} ${clean(value, 80)}`.replace(/^route (?=[A-Z]+ )/, ""))
    .join(", ");
}

/** The contributors that say something: none that repeats the alert's own labels. @param {Alert} alert @param {number} limit */
export function contributors(alert, limit) {
  return (alert.contributors ?? [])
    .filter((one) => Object.entries(one.labels).some(([name, value]) => alert.labels[name] !== value))
    .slice(0, limit)
    .map((one) => ({ words: labelWords(one.labels), ratio: one.share_ratio }));
}

/** "; 96 % from model version 8": the largest part, and a second one that is nearly as large. @param {Alert} alert */
export function largestParts(alert) {
  const parts = contributors(alert, 5).sort((a, b) => b.ratio - a.ratio);
  const [first] = parts;
  if (!first) return "";
  const second = parts.slice(1).find((one) => first.ratio - one.ratio <= NEAR);
  const also = !second ? "" : share(second.ratio) === share(first.ratio) ? ` and ${second.words}` : `, ${share(second.ratio)} from ${second.words}`;
  return `; ${share(first.ratio)} from ${first.words}${also}`;
}

/** @param {Alert} alert One line that names it, without the full stop of a template. */
export const title = (alert) => clean(alert.summary || `${alert.rule} ${labelWords(alert.labels)}`).replace(/\.$/, "");

/** "2 firing, 1 pending" @param {Iterable<Alert>} alerts */
export function counted(alerts) {
  /** @type {Map<string, number>} */
  const number = new Map();
  for (const alert of alerts) number.set(standing(alert), (number.get(standing(alert)) ?? 0) + 1);
  return STATES.filter((state) => number.has(state)).map((state) => `${number.get(state)} ${state}`).join(", ");
}

/** @param {Alert[]} others What else fires next to the one that the sentence is about. */
export function alsoFiring(others) {
  const open = others.filter((alert) => standing(alert) === "firing").length;
  const acked = others.filter((alert) => standing(alert) === "acknowledged").length;
  const parts = [open && `${open} more firing`, acked && `${acked} acknowledged`].filter(Boolean);
  return parts.length ? ` ${parts.join(", ")}.` : "";
}

/** @param {{live: number, known: number, silent_ms: number | null}} producers */
export const partial = ({ live, known, silent_ms }) =>
  `${known - live} of ${plural(known, "producer")} ${
    silent_ms === null ? "are silent" : `went silent ${Math.round(silent_ms / 1000)} s ago`
  }: figures are partial.`;

// @ts-check
// The one sentence of the page. It never says "all clear" unless it knows.

import { alsoFiring, begun, inOrder, largestParts, partial, standing, title } from "./alerts.js";
import { clean, count, duration, perMinute, percent, plural, span, words } from "./format.js";

/** @typedef {import("../types").Alert} Alert @typedef {import("../types").VerdictState} VerdictState */
/** @typedef {{severity: string, lead: string, rest: string, text: string}} Verdict */

export const STALE_MS = 5_000;
const SOON_MS = 1_800_000;

/** What the server's refusals mean, and what to do. */
const REFUSALS = new Map([
  ["out_of_memory", "The server is out of memory and refuses writes: give it more, or keep less."],
  ["read_only", "The server is a read-only replica: point barograph at the primary."],
  ["loading", "The server is still loading its data: this ends by itself."],
  ["no_library", "The function library is not loaded on the server: run barograph install."],
]);

/** @param {string} severity @param {string} lead @param {string} [rest] @returns {Verdict} */
export const say = (severity, lead, rest = "") => ({ severity, lead, rest, text: lead + rest });

/** @param {{code: string, detail: string}} refused */
export const refusal = (refused) => REFUSALS.get(refused.code) ?? clean(refused.detail);

/** @param {VerdictState} state The first that holds. @returns {Verdict} */
export function verdict(state) {
  const { refused, now_ms, closed_through_ms } = state;
  if (closed_through_ms === null) {
    return refused ? say("unknown", refusal(refused)) : say("unknown", "Nothing is known yet.", " Connecting.");
  }
  if (now_ms - closed_through_ms > STALE_MS) {
    const why = refused ? ` ${refusal(refused)}` : "";
    return say("unknown", `No news since ${state.times.exact(closed_through_ms)}.`, ` Below is how it was then.${why}`);
  }
  if (refused) return say("warning", refusal(refused));
  return aboutAlerts(state) ?? aboutWatching(state) ?? allClear(state);
}

/** @param {VerdictState} state */
function aboutAlerts(state) {
  const firing = inOrder(state.alerts).filter((alert) => alert.state === "firing" && standing(alert) !== "silenced");
  const { live, known } = state.producers;
  const missing = live < known ? partial(state.producers) : "";
  const [first, ...others] = firing;
  if (!first) return missing ? say("warning", missing) : null;
  const since = begun(first);
  const lasting_ms = state.now_ms - since;
  const lasting = ` for ${span(lasting_ms)}${lasting_ms < 60_000 ? "" : `, since ${state.times.near(since, state.now_ms)}`}`;
  const tail = `${alsoFiring(others)}${missing && ` ${missing}`}`;
  if (standing(first) === "acknowledged") {
    const names = [...new Set(firing.map((alert) => clean(alert.ack?.actor, 40)))].join(", ");
    return say("warning", title(first), `${lasting}; acknowledged by ${names}.${tail}`);
  }
  return say(first.severity, title(first), `${lasting}${afterMarker(state, since)}${largestParts(first)}.${tail}`);
}

/** The newest marker within half an hour before: "2 min after deploy api 2.15". @param {VerdictState} state @param {number} since */
function afterMarker(state, since) {
  const before = state.markers.filter((marker) => marker.at_ms <= since && since - marker.at_ms <= SOON_MS);
  const last = before.sort((a, b) => b.at_ms - a.at_ms)[0];
  return last ? `, ${span(since - last.at_ms)} after ${clean(last.kind, 32)} ${clean(last.title, 60)}` : "";
}

/** @param {VerdictState} state */
function aboutWatching(state) {
  if (state.alerters === 0) return say("warning", "No alert fires, but nothing watches it.", " No alerter is running.");
  if (state.rules === 0) return say("warning", "No alert fires, but nothing watches it.", " No rule is about this service.");
  if (state.alerters === null || state.rules === null) {
    return say("info", "No alert fires.", " Whether anything watches it is not known yet.");
  }
  if (state.minute.requests > 0) return null;
  const quiet = state.quiet_ms === null ? "a minute or more" : span(state.quiet_ms);
  return say("info", `No request for ${quiet}.`, ` ${plural(state.rules, "rule")} ${state.rules === 1 ? "watches" : "watch"} ${clean(state.service, 60)}.`);
}

/** @param {VerdictState} state */
function allClear({ service, minute }) {
  const errors = `${words(percent(minute.error_ratio))} of them errors`;
  const serves = `${clean(service, 60)} serves ${count(perMinute(minute.requests, minute.covered_ms))} requests a minute, ${errors}`;
  return say("ok", "All clear.", ` ${serves}; p95 ${words(duration(minute.p95_ms))}.`);
}

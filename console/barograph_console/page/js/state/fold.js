// @ts-check
// One message of the socket folded into the state. Any repeat of a message changes nothing.

import { seriesOf, setPoint } from "./series.js";

/** @typedef {import("../types").State} State @typedef {import("../types").Overview} Overview */
/** @typedef {import("../types").Message} Message @typedef {import("../types").Episode} Episode */

const EPISODES = 200;
const MARKERS = 200;

/** @param {Overview} overview @returns {State} */
export function adopt(overview) {
  const { service, epoch, seq, at_ms, closed_through_ms, covered_from_ms, missing } = overview;
  const { minute, endpoints, models, system, episodes, markers, silences, thresholds, pipeline } = overview;
  const alerts = new Map(overview.alerts.map((alert) => [alert.id, alert]));
  const series = seriesOf(overview);
  // Ticks bring rows in another order: a sparkline is found by its endpoint.
  if (endpoints.spark) endpoints.spark.keys = endpoints.rows.map(([method, route]) => `${method} ${route}`);
  return { service, epoch, seq, at_ms, closed_through_ms, covered_from_ms, missing, series, minute, endpoints,
    models, system, alerts, episodes, markers, silences, thresholds, pipeline };
}

/** What of the state a person looks at: moving on (live), or held still (paused, or a fixed window).
 * @typedef {{live: boolean}} Looking */

/** Fold `message` into `state`.
 * @param {State} state @param {Message} message @param {Looking} looking
 * @returns {"same" | "gap" | "changed"} "gap": something was missed, so subscribe again. */
export function fold(state, message, looking) {
  if (message.seq === undefined) return "same";
  if (message.type === "snapshot") {
    if (message.seq < state.seq) return "same";
    standing(state, message["state"] ?? {}, looking);
    state.seq = message.seq;
    return "changed";
  }
  if (message.seq <= state.seq) return "same";
  if (message.seq !== state.seq + 1) return "gap";
  state.seq = message.seq;
  if (message.type === "tick") tick(state, message, looking);
  else if (message.type === "alert") alert(state, message);
  else if (message.type === "marker") marker(state, message);
  else if (message.type === "silence") silence(state, message);
  return "changed";
}

/** @param {State} state @param {Record<string, any>} given @param {Looking} looking */
function standing(state, given, looking) {
  for (const name of /** @type {const} */ (["closed_through_ms", "missing", "pipeline", "silences", "markers"])) {
    if (given[name] !== undefined) Object.assign(state, { [name]: given[name] });
  }
  if (given["at_ms"] !== undefined) state.at_ms = given["at_ms"];
  if (given["alerts"]) state.alerts = new Map(given["alerts"].map((/** @type {{id: string}} */ one) => [one.id, one]));
  if (looking.live) figures(state, given);
}

/** @param {State} state @param {Message} message @param {Looking} looking */
function tick(state, message, looking) {
  state.at_ms = message.at_ms ?? state.at_ms;
  state.closed_through_ms = message["closed_through_ms"] ?? state.closed_through_ms;
  state.missing = message["missing"] ?? state.missing;
  if (message["pipeline"]) state.pipeline = message["pipeline"];
  if (!looking.live) return;
  const point = message["points"]?.[state.series.step_ms];
  state.series.through_ms = state.closed_through_ms;
  if (point) setPoint(state.series, { missing: state.missing, ...point });
  figures(state, message);
}

/** @param {State} state @param {Record<string, any>} given */
function figures(state, given) {
  // A tick leaves out the comparison with the day before where that did not change.
  if (given["minute"]) state.minute = { ...given["minute"], before: given["minute"].before ?? state.minute?.before };
  if (given["endpoints"]?.rows) state.endpoints = { ...state.endpoints, ...given["endpoints"] };
  if (given["models"]) state.models = withHistograms(state.models, given["models"]);
  if (given["system"]) state.system = given["system"];
}

/** Histograms come with the overview only. @param {State["models"]} before @param {State["models"]} now */
function withHistograms(before, now) {
  return now.map((one) => ({ hist: before.find((old) => old.model === one.model && old.version === one.version)?.hist ?? null, ...one }));
}

/** @param {State} state @param {Message} message */
function alert(state, message) {
  /** @type {import("../types").Alert} */
  const row = message["alert"];
  const isActive = row.state === "pending" || row.state === "firing";
  if (isActive) state.alerts.set(row.id, row);
  else state.alerts.delete(row.id);
  const now = message.at_ms ?? state.at_ms;
  const open = state.episodes.find((episode) => episode[6] === row.id && episode[4] === null);
  if (!open && !isActive) return;
  /** @type {Episode} */
  const episode = open ?? [row.rule, row.severity, row.started_at_ms, null, null, null, row.id];
  episode[1] = row.severity;
  if (row.state === "firing") episode[3] ??= row.fired_at_ms ?? now;
  if (row.ack) episode[5] ??= now;
  if (!isActive) episode[4] = now;
  if (!open) state.episodes = [...state.episodes, episode].slice(-EPISODES);
}

/** @param {State} state @param {Message} message */
function marker(state, message) {
  const one = message["marker"] ?? message;
  if (state.markers.some((old) => old.key === one.key)) return;
  state.markers = [...state.markers, one].slice(-MARKERS);
}

/** @param {State} state @param {Message} message */
function silence(state, message) {
  state.silences = message["silences"];
  for (const [id, one] of state.alerts) {
    const by = message["silenced"][id] ?? [];
    if (String(by) !== String(one.silenced_by ?? [])) state.alerts.set(id, { ...one, silenced_by: by });
  }
}

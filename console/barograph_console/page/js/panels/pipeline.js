// @ts-check
// Whether every event is accounted for, and who works on it.

import { attribute, byId, el, text } from "../dom/el.js";
import { stage } from "../state/stages.js";
import { MISSING, clean, count, duration, known, plural, short, span, words } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").State} State */

/** @type {{name: string, label: string, about(app: App, state: State): string, value(state: State): string}[]} */
const LINES = [
  { name: "producers", label: "Producers", about: (_, { pipeline }) => `${count(pipeline.dropped)} dropped`,
    value: ({ pipeline: { producers } }) => `${count(producers.known - producers.missing)} of ${count(producers.known)}` },
  { name: "entries", label: "Entries", about: (_, { pipeline }) => `${count(pipeline.unread)} unread`, value: ({ pipeline }) => rate(pipeline) },
  { name: "aggregator", label: "Aggregator", about: (_, state) => workers(state, "aggregator"), value: ({ pipeline }) => late(pipeline.behind_ms) },
  { name: "alerter", label: "Alerter", about: (app, state) => `${workers(state, "alerter")}${app.rules === null ? "" : `, ${plural(app.rules, "rule")}`}`, value: (state) => late(stage(state, "alerter")?.lag_ms) },
  { name: "notifier", label: "Notifier", about: (_, state) => `${workers(state, "notifier")}, ${count(state.pipeline.dead)} dead`, value: (state) => late(stage(state, "notifier")?.lag_ms) },
];
/** @param {number | null | undefined} ms */
const late = (ms) => (!known(ms) ? MISSING : ms < 600_000 ? words(duration(ms)) : span(ms));
/** The count of some seconds ago, from which the rate is taken. */
let earlier = { at_ms: 0, added: 0, words: "" };

/** @param {State["pipeline"]} pipeline */
function rate({ at_ms, added }) {
  const passed_ms = at_ms - earlier.at_ms;
  if (passed_ms > 60_000 || passed_ms < 0) earlier = { at_ms, added, words: "" };
  else if (passed_ms >= 5_000) earlier = { at_ms, added, words: `${short(((added - earlier.added) * 1_000) / passed_ms)}/s` };
  return earlier.words;
}
const SIGNS = /** @type {Record<string, [string, string]>} */ ({ ok: ["●", "ok"], degraded: ["▲", "degraded"], down: ["◆", "down"] });

/** @param {State} state @param {string} name */
function stateOf(state, name) {
  if (name === "entries") return state.pipeline.is_accounted ? "ok" : "down";
  const found = stage(state, name)?.state ?? "";
  return name === "alerter" && found === "ok" && state.pipeline.config_problem ? "degraded" : found;
}

/** @param {State} state @param {string} name */
const workers = (state, name) => plural(stage(state, name)?.workers ?? 0, "worker");

/** @param {App} app @param {() => void} showChannels */
export function pipelinePanel(app, showChannels) {
  const rows = LINES.map((line) => {
    const [sign, said, about, value] = [el("span", { "aria-hidden": "true" }), el("span", { class: "vh" }), el("span", { class: "about" }), el("b")];
    const more = line.name === "notifier" && el("button", { class: "text", onclick: showChannels }, "Channels");
    byId("pipeline-list").append(el("li", null, el("span", { class: "state" }, sign, said), el("span", { class: "name" }, line.label), about, more, value));
    return { ...line, sign, said, about: (/** @type {State} */ state) => text(about, line.about(app, state)), value: (/** @type {State} */ state) => text(value, line.value(state)) };
  });
  const refused = el("p", { class: "meta", role: "status", hidden: true });
  byId("pipeline-list").after(refused);
  return (/** @type {Set<string>} */ changed) => {
    const { state } = app;
    if (!state || !["figures", "overview"].some((part) => changed.has(part))) return;
    const problem = state.pipeline.config_problem ?? "";
    refused.hidden = !problem;
    text(refused, problem && `Rules are as before: a changed configuration file is refused. ${clean(problem, 600)}`);
    for (const row of rows) {
      const [sign, said] = SIGNS[stateOf(state, row.name)] ?? ["○", "not known"];
      text(row.sign, sign);
      text(row.said, said);
      attribute(row.sign, "class", said.replace(" ", "-"));
      row.about(state);
      row.value(state);
    }
    const { added, committed, pending, unread, dead, lost, is_accounted } = state.pipeline;
    text(byId("accounted"), is_accounted ? "every entry accounted for" : "entries are not accounted for");
    text(byId("account"), `${short(added)} entries added ${is_accounted ? "=" : "≠"} ${short(committed)} committed + ${count(pending)} pending + ${count(unread)} unread + ${count(dead)} dead + ${count(lost)} lost`);
  };
}

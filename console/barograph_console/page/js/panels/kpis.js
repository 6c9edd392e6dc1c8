// @ts-check
// The last minute in seven figures, each next to the same minute before.

import { byId, el, figure, text } from "../dom/el.js";
import { standing } from "../words/alerts.js";
import { beforeWords, change } from "../words/change.js";
import { MISSING, count, duration, known, perMinute, percent, span } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").State} State */
/** @typedef {{figure: import("../words/format.js").Figure, words: string, tone: string, loud?: string}} Shown */

/** Label, and where a click leads. @type {[string, string, string][]} */
const FIGURES = [
  ["requests", "Requests", "strip-rate"], ["errors", "Errors", "strip-errors"], ["p95", "p95", "strip-duration"], ["p99", "p99", "strip-duration"],
  ["apdex", "Apdex", "strip-heat"], ["alerts", "Alerts firing", "alerts"], ["behind", "Behind real time", "pipeline"],
];

/** @param {App} app */
export function kpiPanel(app) {
  const cells = FIGURES.map(([name, label, target]) => {
    const [title, value, words] = [el("span", { class: "label" }, label), el("span", { class: "value" }), el("span", { class: "change" })];
    const button = el("button", { class: "kpi", onclick: () => show(target) }, title, value, words);
    byId("kpis").append(button);
    return { name, title, value, words };
  });
  return (/** @type {Set<string>} */ changed) => {
    if (!["figures", "overview", "alerts", "link", "clock"].some((part) => changed.has(part))) return;
    for (const { name, title, value, words } of cells) {
      const shown = app.state ? shownOf(name, app, app.state) : { figure: /** @type {[string, string]} */ ([MISSING, ""]), words: "\u00a0", tone: "" };
      if (name === "apdex" && app.state) text(title, `Apdex, T ${app.state.minute.apdex_t_ms} ms`);
      figure(value, shown.figure);
      value.className = `value ${shown.loud ?? ""}`;
      text(words, shown.words || "\u00a0");
      words.className = `change ${shown.tone}`;
    }
  };
}

/** @param {string} id */
function show(id) {
  const place = byId(id);
  place.scrollIntoView({ block: "center" });
  place.classList.remove("found");
  requestAnimationFrame(() => place.classList.add("found"));
}

/** @param {string} name @param {App} app @param {State} state @returns {Shown} */
function shownOf(name, app, state) {
  const { minute } = state;
  const before = minute.before ?? null;
  const ago = beforeWords(before?.offset_ms ?? (state.series.offset_ms || 86_400_000));
  /** @param {number | null} now @param {number | null | undefined} then @param {"more" | "less"} worse @param {number} [much] */
  const compared = (now, then, worse, much = 1.5) => {
    const { words, isWorse } = change(now, before ? then : null, { ago, worse, much });
    return { words, tone: isWorse ? "worse" : "" };
  };
  const loud = isSpokenOf(app, state, name) ? "bad" : "";
  switch (name) {
    case "requests": {
      const requests = perMinute(minute.requests, minute.covered_ms);
      return { figure: [count(requests), "/min"], ...compared(requests, before?.requests, "less", 2) };
    }
    case "errors": return { figure: percent(minute.error_ratio), ...compared(minute.error_ratio, before?.error_ratio, "more"), loud };
    case "p95": return { figure: duration(minute.p95_ms), ...compared(minute.p95_ms, before?.p95_ms, "more"), loud };
    case "p99": return { figure: duration(minute.p99_ms), ...compared(minute.p99_ms, before?.p99_ms, "more"), loud };
    case "apdex": {
      const now = compared(minute.apdex, before?.apdex, "less", 10 / 9);
      return { figure: [known(minute.apdex) ? minute.apdex.toFixed(2) : MISSING, ""], ...now };
    }
    case "alerts": return firing(app);
    default: return behind(app, state);
  }
}

/** Whether a firing rule speaks of this figure. @param {App} app @param {State} state @param {string} name */
function isSpokenOf(app, state, name) {
  const figure = name === "errors" ? "error_ratio" : `${name}_ms`;
  const rules = state.thresholds.filter((one) => one.figure === figure).map((one) => one.rule);
  return app.ordered.some((alert) => standing(alert) === "firing" && rules.includes(alert.rule));
}

/** @param {App} app @returns {Shown} */
function firing(app) {
  const open = app.ordered.filter((one) => standing(one) === "firing").length;
  const acked = app.ordered.filter((one) => standing(one) === "acknowledged").length;
  const pending = app.ordered.filter((one) => one.state === "pending").length;
  const words = open ? `${open} not acknowledged` : acked ? "all acknowledged" : pending ? `${pending} pending` : "none now";
  return { figure: [count(open + acked), ""], words, tone: open ? "bad" : "", loud: open ? "bad" : "" };
}

/** @param {App} app @param {State} state @returns {Shown} */
function behind(app, state) {
  const late_ms = app.is_stale ? app.now() - state.closed_through_ms : state.pipeline.behind_ms;
  const { dropped } = state.pipeline;
  const words = dropped ? `${count(dropped)} dropped` : state.pipeline.producers.known === 0 ? "no producer" : "nothing dropped";
  return { figure: known(late_ms) ? late_ms < 600_000 ? [(late_ms / 1000).toFixed(late_ms < 9_950 ? 1 : 0), "s"] : [span(late_ms), ""] : [MISSING, ""], words, tone: dropped || app.is_stale ? "worse" : "" };
}

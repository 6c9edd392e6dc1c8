// @ts-check
// The recorder's paper: strips under one time axis, with one cursor over all of them.

import { TimeAxis } from "../charts/axis.js";
import { Cursor } from "../charts/cursor.js";
import { Heat } from "../charts/heat.js";
import { forgetInks } from "../charts/paper.js";
import { Ribbon } from "../charts/ribbon.js";
import { Strip } from "../charts/strip.js";
import { attribute, byId, el, style, text } from "../dom/el.js";
import { derived, newest } from "../state/series.js";
import { SEVERITIES, standing } from "../words/alerts.js";
import { beforeWords } from "../words/change.js";
import { count, duration, percent, span, words } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").State} State @typedef {ReturnType<typeof derived>} Figures */

/** @type {{id: string, scale: "count" | "share" | "log", about: string[], lines: import("../charts/strip.js").Line[],
 *   heads: [string, string, string][]}[]} */
const STRIPS = [
  { id: "rate", scale: "count", about: ["requests"],
    lines: [{ key: "before_rate", ink: "before", width: 1, dash: [4, 3] }, { key: "rate", ink: "rate", fill: "rate-fill" }],
    heads: [["rate", "", "rate"], ["before_rate", "before", "before"]] },
  { id: "errors", scale: "share", about: ["error_ratio"],
    lines: [{ key: "e4xx_ratio", ink: "e4xx", width: 1, dash: [4, 3] }, { key: "error_ratio", ink: "err", fill: "err-fill", width: 1.5 }],
    heads: [["error_ratio", "5xx", "err"], ["e4xx_ratio", "4xx", "e4xx"]] },
  { id: "duration", scale: "log", about: ["p50_ms", "p95_ms", "p99_ms"],
    lines: [{ key: "p50_ms", ink: "p50", width: 1.2 }, { key: "p99_ms", ink: "p99", width: 1.2, dash: [4, 3] }, { key: "p95_ms", ink: "p95", width: 2 }],
    heads: [["p50_ms", "p50", "p50"], ["p95_ms", "p95", "p95"], ["p99_ms", "p99", "p99"]] },
];

/** @param {string} key @param {number | undefined} value */
const shown = (key, value) => words(key.endsWith("rate") ? [count(value), ""] : key.endsWith("ratio") ? percent(value) : duration(value));

/** @param {App} app @param {{chosen(from_ms: number, to_ms: number, x: number): void, back(): void}} on */
export function stripsPanel(app, on) {
  const axis = new TimeAxis();
  const area = byId("strips");
  /** @param {string} id */
  const canvas = (id) => /** @type {HTMLCanvasElement} */ (byId(`strip-${id}`).querySelector("canvas"));
  const strips = STRIPS.map((strip) => ({ ...strip, chart: new Strip(canvas(strip.id), axis, strip), heads: heads(strip) }));
  const [heat, ribbon] = [new Heat(canvas("heat"), axis), new Ribbon(canvas("ribbon"), axis)];
  const all = [...strips.map(({ chart }) => chart), heat, ribbon];
  /** @type {Figures | null} */
  let figures = null;
  const cursor = new Cursor(area, axis, { ...on, moved });

  function moved(/** @type {number | null} */ ms) {
    const { state } = app;
    if (!state || !figures) return;
    for (const { chart } of strips) chart.cursorAt(ms);
    const at = ms === null ? -1 : Math.floor((ms - state.series.from_ms) / state.series.step_ms);
    for (const strip of strips) for (const [key, node] of strip.heads) text(node, shown(key, valueAt(figures[/** @type {"rate"} */ (key)], at)));
    describe(state, figures, at);
  }

  /** What a screen reader says of the moment under the cursor. @param {State} state @param {Figures} now @param {number} at */
  function describe(state, now, at) {
    const i = at < 0 ? newest(now.rate) : at;
    const when = app.times.exact(state.series.from_ms + Math.max(0, i) * state.series.step_ms);
    text(byId("moment"), at < 0 ? "" : when);
    const said = strips.flatMap(({ heads: values }) => [...values.keys()].map((key) => `${LABELS[key]} ${shown(key, valueAt(now[/** @type {"rate"} */ (key)], at))}`));
    attribute(area, "aria-valuenow", Math.max(0, i));
    attribute(area, "aria-valuemax", state.series.points - 1);
    attribute(area, "aria-valuetext", `${when}: ${said.join(", ")}`);
  }

  function draw() {
    const { state } = app;
    if (!state) return;
    const { series } = state;
    figures = derived(series);
    Object.assign(axis, { from_ms: series.from_ms, to_ms: series.from_ms + series.points * series.step_ms });
    const columns = { from_ms: series.from_ms, step_ms: series.step_ms, is_open: series.is_open, now_ms: app.now(), values: figures, missing: figures.missing,
      tints: tints(state), flags: state.markers.map((one) => one.at_ms), times: app.times };
    for (const { chart, about } of strips) chart.set({ ...columns, limits: limits(state, about) });
    heat.set({ ...columns, limits: [], heat: series.heat, row0: series.row0 });
    const silenced = new Set(app.ordered.filter((one) => standing(one) === "silenced").map((one) => one.id));
    style(ribbon.paper.canvas, "height", `${ribbon.height(state.episodes)}px`);
    ribbon.paper.height = ribbon.height(state.episodes);
    ribbon.set({ episodes: state.episodes, markers: state.markers, now_ms: app.now(), silenced });
    label(app, state, figures, strips.map(({ id }) => canvas(id)));
    moved(cursor.ms);
  }

  function resize() {
    axis.width = area.clientWidth;
    axis.gutter = axis.width < 500 ? 54 : 58;
    for (const chart of all) chart.paper.measure();
    app.touch("figures");
  }

  new ResizeObserver(resize).observe(area);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    forgetInks();
    app.touch("figures");
  });
  const redraw = (/** @type {Set<string>} */ changed) => {
    if (changed.has("view")) {
      forgetInks();
      cursor.clear();
      if (area.clientWidth !== axis.width) resize();
    }
    if (["view", "figures", "overview", "alerts"].some((part) => changed.has(part))) draw();
  };
  return { redraw, cursor };
}

/** The value of point `at`; of the newest that is known when no one points. @param {Float64Array} values @param {number} at */
const valueAt = (values, at) => values[at < 0 ? newest(values) : at];
const LABELS = /** @type {Record<string, string>} */ ({ rate: "requests a minute", before_rate: "before", error_ratio: "5xx", e4xx_ratio: "4xx", p50_ms: "p50", p95_ms: "p95", p99_ms: "p99" });

/** @param {(typeof STRIPS)[number]} strip @returns {Map<string, HTMLElement>} */
function heads(strip) {
  const values = new Map();
  const head = /** @type {HTMLElement} */ (byId(`strip-${strip.id}`).querySelector("figcaption"));
  for (const [key, name, ink] of strip.heads) {
    const value = el("b", null, "–");
    head.append(el("span", { class: `key ${ink}` }, el("i", { "aria-hidden": "true" }), name && el("span", { class: "name" }, name), value));
    values.set(key, value);
  }
  return values;
}

/** @param {State} state @param {string[]} about */
const limits = (state, about) => state.thresholds.filter((one) => about.includes(one.figure)).slice(0, 2).map((one) => ({ value: one.value,
  words: `alert ${one.is_above === false ? "below" : "above"} ${words(one.figure === "error_ratio" ? percent(one.value) : one.figure === "requests" ? [count(one.value), ""] : duration(one.value)).replace(/\.0(?=\D)/, "")}` }));

/** @param {State} state */
const tints = (state) => [...state.episodes].sort((a, b) => SEVERITIES.indexOf(a[1]) - SEVERITIES.indexOf(b[1])).flatMap(([, severity, , firing_ms, end_ms]) => (firing_ms === null ? [] : [{ from_ms: firing_ms, to_ms: end_ms ?? Infinity, severity }]));

/** @param {App} app @param {State} state @param {Figures} figures @param {HTMLCanvasElement[]} canvases */
function label(app, state, figures, canvases) {
  const { series } = state;
  const range = app.is_fixed ? `${app.times.near(series.from_ms, app.now())} to ${app.times.near(series.from_ms + series.points * series.step_ms, app.now())}` : app.view.range;
  text(byId("range-words"), `${range}, one point is ${span(series.step_ms)}, ${app.times.zone}`);
  const before = byId("strip-rate").querySelector(".before");
  attribute(/** @type {HTMLElement} */ (before), "hidden", newest(figures.before_rate) < 0);
  text(/** @type {Node} */ (before?.querySelector(".name")), beforeWords(series.offset_ms));
  ["rate", "error_ratio", "p95_ms"].forEach((key, i) => {
    const values = figures[/** @type {"rate"} */ (key)].filter((value) => !Number.isNaN(value));
    const extremes = values.length ? `; latest ${shown(key, values.at(-1))}, lowest ${shown(key, Math.min(...values))}, highest ${shown(key, Math.max(...values))}` : "; nothing known";
    attribute(/** @type {HTMLCanvasElement} */ (canvases[i]), "aria-label", `${LABELS[key]}, ${range}${extremes}`);
  });
}

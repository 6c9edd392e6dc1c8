// @ts-check
// The series that a rule looks at, with the lines at which it fires and clears.

import { TimeAxis } from "../charts/axis.js";
import { Strip } from "../charts/strip.js";
import { el } from "../dom/el.js";
import { duration, percent, words } from "../words/format.js";

/** @param {import("../state/app.js").App} app @param {NonNullable<import("../types").AlertInFull["series"]>} series @param {string} severity */
export function ruleChart(app, series, severity) {
  const { figure, from_ms, step_ms } = series;
  const isShare = /rate|ratio/.test(figure);
  const isDuration = /_ms/.test(figure);
  /** @param {number} value */
  const said = (value) => (isShare ? words(percent(value)).replace(/\.0(?=\D)/, "") : isDuration ? words(duration(value)) : String(value));
  const values = Float64Array.from(series.values, (value) => value ?? NaN);
  const limits = /** @type {[string, number | null | undefined][]} */ ([
    ["fires above", series.fires_above], ["fires below", series.fires_below], ["clears below", series.clears_below], ["clears above", series.clears_above],
  ]).flatMap(([name, value]) => (typeof value === "number" ? [{ value, words: `${name} ${said(value)}`, ink: name.startsWith("clears") ? "accent" : "error" }] : []));
  const canvas = el("canvas", { role: "img", "aria-label": `${figure}, the series of this rule; ${limits.map((one) => one.words).join(", ")}` });
  const axis = Object.assign(new TimeAxis(), { from_ms, to_ms: from_ms + values.length * step_ms, gutter: 50 });
  const ink = isShare ? "err" : isDuration ? "p95" : "rate";
  const chart = new Strip(canvas, axis, { scale: isShare ? "share" : "count", lines: [{ key: "value", ink, fill: `${isShare ? "err" : "rate"}-fill`, width: 1.5 }] });
  const tints = app.state?.episodes.filter((one) => one[6] === app.view.alert && one[3] !== null).map((one) => ({ from_ms: Number(one[3]), to_ms: one[4] ?? Infinity, severity })) ?? [];
  new ResizeObserver(() => {
    axis.width = canvas.clientWidth;
    chart.paper.measure();
    chart.set({ from_ms, step_ms, is_open: false, now_ms: app.now(), values: { value: values }, missing: new Float64Array(values.length), tints, flags: [], limits, times: app.times });
  }).observe(canvas);
  return el("figure", { class: "rule" }, canvas, el("figcaption", null, el("span", null, app.times.clock(from_ms)), el("span", null, app.times.clock(axis.to_ms))));
}

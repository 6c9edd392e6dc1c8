// @ts-check
// The points that the strips draw, in arrays of one size: they move along, and nothing grows with time.

/** @typedef {import("../types").Series} Series @typedef {import("../types").Overview} Overview @typedef {import("../types").Point} Point */

/** @param {import("../types").Numbers | undefined} numbers @param {number} points */
const column = (numbers, points) => Float64Array.from({ length: points }, (_, i) => numbers?.[i] ?? NaN);

/** @param {Overview} overview @returns {Series} */
export function seriesOf({ from_ms, step_ms, points, is_open, closed_through_ms, red, before, heat }) {
  /** @type {Record<string, Float64Array>} */
  const values = {};
  for (const name of ["requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms", "missing"]) {
    values[name] = column(red[/** @type {"requests"} */ (name)], points);
  }
  for (const name of ["requests", "errors", "p95_ms"]) {
    values[`before_${name}`] = column(before?.[/** @type {"requests"} */ (name)], points);
  }
  const cells = Array.from({ length: points }, (_, i) => heat.cols[i] ?? null);
  return { from_ms, step_ms, points, offset_ms: before?.offset_ms ?? 0, is_open, through_ms: closed_through_ms, row0: heat.row0, values, heat: cells };
}

/** Set the bucket of `point`; a newer one moves the window along. A point replaces, so a repeat changes nothing.
 * @param {Series} series @param {Point} point */
export function setPoint(series, point) {
  let at = (point.t - series.from_ms) / series.step_ms;
  if (at < 0 || !Number.isInteger(at)) return;
  if (at >= series.points) {
    move(series, at - series.points + 1);
    at = series.points - 1;
  }
  for (const name of ["requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms", "missing"]) {
    const value = point[/** @type {"requests"} */ (name)];
    if (name !== "missing" || value !== undefined) /** @type {Float64Array} */ (series.values[name])[at] = value ?? NaN;
  }
  series.heat[at] = point.heat ?? null;
  if (at === series.points - 1) series.is_open = point.is_open ?? false;
}

/** @param {Series} series @param {number} by How many points the window moves on. */
function move(series, by) {
  const kept = Math.max(0, series.points - by);
  for (const values of Object.values(series.values)) {
    values.copyWithin(0, series.points - kept);
    values.fill(NaN, kept);
  }
  series.heat.splice(0, series.points - kept);
  while (series.heat.length < series.points) series.heat.push(null);
  series.from_ms += by * series.step_ms;
}

/** How much of point `i` has passed, 0 to 1: the newest is still open. @param {Series} series @param {number} i */
export function elapsed(series, i) {
  if (!series.is_open || i !== series.points - 1) return 1;
  const begin = series.from_ms + i * series.step_ms;
  return Math.min(1, Math.max(0.1, (series.through_ms - begin) / series.step_ms));
}

/** The columns that people read: requests a minute and ratios. @param {Series} series */
export function derived(series) {
  const { values, points, step_ms } = series;
  const perMinute = 60_000 / step_ms;
  /** @param {Float64Array | undefined} part @param {Float64Array | undefined} all */
  const ratio = (part, all) => Float64Array.from({ length: points }, (_, i) => (all?.[i] ? (part?.[i] ?? NaN) / /** @type {number} */ (all[i]) : NaN));
  const rate = Float64Array.from({ length: points }, (_, i) => ((values["requests"]?.[i] ?? NaN) * perMinute) / elapsed(series, i));
  return {
    rate,
    before_rate: /** @type {Float64Array} */ (values["before_requests"]).map((n) => n * perMinute),
    error_ratio: ratio(values["errors"], values["requests"]),
    e4xx_ratio: ratio(values["e4xx"], values["requests"]),
    before_error_ratio: ratio(values["before_errors"], values["before_requests"]),
    p50_ms: /** @type {Float64Array} */ (values["p50_ms"]),
    p95_ms: /** @type {Float64Array} */ (values["p95_ms"]),
    p99_ms: /** @type {Float64Array} */ (values["p99_ms"]),
    missing: /** @type {Float64Array} */ (values["missing"]),
  };
}

/** The newest point that has a value. @param {Float64Array} values */
export function newest(values) {
  let i = values.length - 1;
  while (i >= 0 && Number.isNaN(values[i])) i -= 1;
  return i;
}

// @ts-check
// The URL is the whole state of the page: what it says is parsed here, and written here.

/** @typedef {import("../types").View} View */

/** Ranges, and the step of a point in each: only steps whose panes are stored. @type {[string, number, number][]} */
export const RANGES = [
  ["5m", 300_000, 1_000],
  ["15m", 900_000, 10_000],
  ["1h", 3_600_000, 10_000],
  ["6h", 21_600_000, 60_000],
  ["24h", 86_400_000, 60_000],
  ["7d", 604_800_000, 3_600_000],
  ["30d", 2_592_000_000, 3_600_000],
  ["90d", 7_776_000_000, 21_600_000],
];
export const SORTS = ["method", "route", "requests", "errors", "p50_ms", "p95_ms", "p99_ms", "time_ratio"];
const SHORT = /** @type {Record<string, string>} */ ({ p50: "p50_ms", p95: "p95_ms", p99: "p99_ms", share: "time_ratio" });

/** @type {View} */
export const DEFAULTS = {
  service: "", range: "1h", from_ms: null, to_ms: null, route: "", alert: "", compare: "auto",
  sort: "-requests", view: "", theme: "", tz: "", table: false,
};

/** What each parameter must look like. @type {Record<string, RegExp>} */
const SHAPES = {
  service: /^.{1,64}$/su,
  range: new RegExp(`^(${RANGES.map(([name]) => name).join("|")})$`),
  route: /^.{1,2048}$/su,
  alert: /^[0-9a-f]{16}$/,
  compare: /^(auto|1h|1d|none)$/,
  view: /^(wall|services)$/,
  theme: /^(light|dark)$/,
  tz: /^UTC$/,
};

/** @param {string} name */
export const rangeMs = (name) => RANGES.find(([one]) => one === name)?.[1] ?? 3_600_000;

/** @param {string} search @returns {{view: View, problems: string[]}} Wrong values fall back, and are named. */
export function parse(search) {
  const given = new URLSearchParams(search);
  const view = { ...DEFAULTS };
  /** @type {string[]} */
  const problems = [];
  for (const [name, shape] of Object.entries(SHAPES)) {
    const value = given.get(name);
    if (value === null || value === "") continue;
    if (shape.test(value)) Object.assign(view, { [name]: value });
    else problems.push(`${name} cannot be ${JSON.stringify(value.slice(0, 40))}`);
  }
  const sort = given.get("sort");
  if (sort) {
    const column = sort.replace(/^-/, "");
    const full = SHORT[column] ?? column;
    if (SORTS.includes(full)) view.sort = (sort.startsWith("-") ? "-" : "") + full;
    else problems.push(`sort cannot be ${JSON.stringify(sort.slice(0, 40))}`);
  }
  view.table = given.get("table") === "1";
  window(given, view, problems);
  return { view, problems };
}

/** @param {URLSearchParams} given @param {View} view @param {string[]} problems */
function window(given, view, problems) {
  if (!given.has("from") && !given.has("to")) return;
  const [from, to] = ["from", "to"].map((name) => Date.parse(given.get(name) ?? ""));
  if (from !== undefined && to !== undefined && from < to) Object.assign(view, { from_ms: from, to_ms: to });
  else problems.push("from and to must be two times, the earlier one first");
}

/** @param {View} view @returns {string} The shortest search that means this view. */
export function format(view) {
  const search = new URLSearchParams();
  for (const name of Object.keys(SHAPES)) {
    const value = view[/** @type {"route"} */ (name)];
    if (value && value !== DEFAULTS[/** @type {"route"} */ (name)]) search.set(name, value);
  }
  if (view.sort !== DEFAULTS.sort) search.set("sort", view.sort.replace(/_ms$/, "").replace("time_ratio", "share"));
  if (view.table) search.set("table", "1");
  if (view.from_ms !== null && view.to_ms !== null) {
    search.set("from", iso(view.from_ms));
    search.set("to", iso(view.to_ms));
  }
  const text = search.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
  return text ? `?${text}` : "";
}

/** @param {number} ms */
export const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

/** The range that is one wider (+1) or narrower (-1). @param {string} name @param {number} by */
export function neighbour(name, by) {
  const at = RANGES.findIndex(([one]) => one === name) + by;
  return RANGES[Math.max(0, Math.min(RANGES.length - 1, at))]?.[0] ?? name;
}

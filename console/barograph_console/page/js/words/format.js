// @ts-check
// Numbers, spans and text from events as the page writes them: three digits at most, always a unit.

/** @typedef {[string, string]} Figure The digits, and the unit ("" when there is none). */

export const MISSING = "–";
const MINUTE_MS = 60_000;
const NBSP = "\u00a0";
const grouped = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

/** @param {number | null | undefined} value @returns {value is number} */
export const known = (value) => typeof value === "number" && Number.isFinite(value);

/** @param {number | null | undefined} value A whole number with its thousands separated. */
export const count = (value) => (known(value) ? grouped.format(value) : MISSING);

/** A minute that a service was only partly there for is scaled: 3,000 requests of 30 s are 6,000 a minute.
 * @param {number | null | undefined} number @param {number | null | undefined} covered_ms A whole minute when it is not known. */
export const perMinute = (number, covered_ms) => (known(number) ? Math.round((number * MINUTE_MS) / (covered_ms || MINUTE_MS)) : null);

/** A number for an axis or a narrow place: 950, 5k, 2.5k, 48.2M. @param {number} value */
export function short(value) {
  for (const [unit, size] of /** @type {[string, number][]} */ ([["G", 1e9], ["M", 1e6], ["k", 1e3]])) {
    if (Math.abs(value) >= size) return `${digits(value / size)}${unit}`;
  }
  return digits(value);
}

/** Three digits at most, without zeros that say nothing. @param {number} value */
export function digits(value) {
  const size = Math.abs(value);
  if (size >= 100 || value === 0) return String(Math.round(value));
  return String(Number(value.toFixed(size >= 10 ? 1 : 2)));
}

/** @param {number | null | undefined} ratio 0 to 1. @returns {Figure} */
export function percent(ratio) {
  if (!known(ratio)) return [MISSING, ""];
  const value = ratio * 100;
  if (value === 0 || value >= 99.95) return [String(Math.round(value)), "%"];
  if (value < 0.005) return ["<0.01", "%"];
  return [value.toFixed(value < 0.995 ? 2 : 1), "%"];
}

/** @param {number | null | undefined} ratio 0 to 1, as a share of a whole: no decimals. */
export const share = (ratio) => (known(ratio) ? `${Math.round(ratio * 100)}${NBSP}%` : MISSING);

/** @param {number | null | undefined} ms @returns {Figure} */
export function duration(ms) {
  if (!known(ms)) return [MISSING, ""];
  if (ms < 0.995) return [digits(ms), "ms"];
  if (ms < 9.95) return [ms.toFixed(1), "ms"];
  if (ms < 999.5) return [String(Math.round(ms)), "ms"];
  if (ms < 9_995) return [(ms / 1000).toFixed(2), "s"];
  if (ms < 99_950) return [(ms / 1000).toFixed(1), "s"];
  return [String(Math.round(ms / 1000)), "s"];
}

/** @param {Figure} figure */
export const words = ([value, unit]) => (unit ? `${value}${NBSP}${unit}` : value);

/** How long something lasts, in the two largest units: 12 s, 10 min, 2 h 5 min, 3 d. @param {number} ms */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}${NBSP}s`;
  if (s < 3_600) return s < 600 && s % 60 >= 30 ? `${Math.floor(s / 60)}.5${NBSP}min` : `${Math.floor(s / 60)}${NBSP}min`;
  if (s < 86_400) {
    const rest = Math.floor((s % 3_600) / 60);
    return `${Math.floor(s / 3_600)}${NBSP}h${rest ? ` ${rest}${NBSP}min` : ""}`;
  }
  return `${Math.floor(s / 86_400)}${NBSP}d`;
}

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

// Control characters and the marks that turn the direction of the text around them.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/** Text from an event, safe inside a sentence: cut, without controls, its direction kept to itself.
 * @param {unknown} text @param {number} [limit] */
export function clean(text, limit = 200) {
  let safe = String(text ?? "");
  // The cut comes first: a replacement over 64 KB would cost more than the rest of the row.
  if (safe.length > limit) safe = `${safe.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`;
  safe = safe.replace(UNSAFE, "\ufffd");
  return RIGHT_TO_LEFT.test(safe) ? `\u2068${safe}\u2069` : safe;
}

// @ts-check
// What the page asks the console, and what its refusals are.

import { get } from "../link/api.js";
import { RANGES, rangeMs } from "./url.js";

// The answers of the server itself; other failures are of one request.
const REFUSALS = ["out_of_memory", "read_only", "loading", "no_library", "unreachable", "authentication", "refused", "timeout"];

/** @param {import("../link/api.js").Problem} problem */
export const isRefusal = (problem) => problem.status === 503 && REFUSALS.includes(problem.code);

/** @param {import("../types").View} view @returns {Promise<import("../types").Overview>} */
export function overview({ service, range, from_ms, to_ms, route, compare }) {
  return get("/overview", { service, ...(from_ms === null ? { range } : { from: from_ms, to: to_ms }), route, compare });
}

/** How long the parts that no message carries may stay: sparklines and the day before; all, where one route is shown. @param {import("../types").View} view */
export function refreshMs({ range, route }) {
  const [, , step_ms] = RANGES.find(([name]) => name === range) ?? ["", 0, 10_000];
  return route ? Math.max(2_000, Math.min(10_000, step_ms)) : Math.max(10_000, Math.min(60_000, rangeMs(range) / 30));
}

/** The cards of all services, with their sparklines. @returns {Promise<{at_ms: number, services: import("../types").Card[]}>} */
export function cards() {
  return get("/services", { spark: 30 });
}

/** What the timeline lists, and how many rules watch the service; null is an answer that did not come, and `problem` why. @param {string} service */
export async function timeline(service) {
  const [history, deliveries, rules] = await Promise.allSettled([
    get("/alerts/history", { service, limit: 60 }), get("/deliveries", { limit: 100 }), get("/rules", { service }),
  ]);
  const failure = [history, deliveries].find((one) => one.status === "rejected");
  return {
    problem: failure?.status === "rejected" ? /** @type {Error} */ (failure.reason) : null,
    log: history.status === "fulfilled" ? happened(history.value.entries, deliveries.status === "fulfilled" ? deliveries.value.deliveries : []) : null,
    rules: rules.status === "fulfilled" && rules.value.published_at_ms !== null ? /** @type {number} */ (rules.value.rules.length) : null,
  };
}

/** A delivery names the change that it is about, and only this service's changes are here. @param {any[]} changes @param {any[]} deliveries */
function happened(changes, deliveries) {
  const entries = new Map(changes.map((one) => [one.transition, one]));
  const sent = deliveries.filter((one) => entries.has(one.transition)).map((one) => {
    const entry = entries.get(one.transition);
    return { ...one, rule: entry.rule, delay_ms: one.at_ms - entry.at_ms, is_delivery: true };
  });
  return [...changes, ...sent];
}

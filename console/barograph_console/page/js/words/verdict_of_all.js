// @ts-check
// The sentence over the cards of all services.

import { begun, title } from "./alerts.js";
import { clean, plural, span } from "./format.js";
import { say } from "./verdict.js";

/** @typedef {import("../types").Alert} Alert */

/** @param {{service: string, worst: Alert | null, is_stale: boolean}[]} cards
 * @param {{is_live: boolean, now_ms: number, last_ms: number, times: import("./times.js").Times}} link */
export function verdictOfServices(cards, link) {
  if (!link.is_live) return say("unknown", `No news since ${link.times.exact(link.last_ms)}.`, " Below is how it was then.");
  if (!cards.length) return say("info", "No service has sent an event yet.");
  const bad = cards.filter((card) => card.worst?.state === "firing");
  const severe = bad.filter((card) => card.worst?.severity === "critical" || card.worst?.severity === "error");
  const warned = bad.filter((card) => !severe.includes(card));
  const stale = cards.filter((card) => card.is_stale);
  const some = warned.length === 1 ? ` ${clean(warned[0]?.service, 60)} has a warning.` : warned.length ? ` ${warned.length} have warnings.` : "";
  const silent = stale.length ? ` No news from ${stale.length === 1 ? clean(stale[0]?.service, 60) : `${stale.length} services`}.` : "";
  const named = severe.length ? severe : warned;
  const worst = named[0]?.worst;
  if (worst) {
    const what = severe.length ? (severe.length === 1 ? "has an error firing" : "have errors firing") : warned.length === 1 ? "has a warning" : "have warnings";
    const lasting = `${title(worst)} for ${span(link.now_ms - begun(worst))}`;
    const others = severe.length ? some : "";
    return say(worst.severity, `${named.length} of ${plural(cards.length, "service")} ${what}:`, ` ${clean(named[0]?.service, 60)}, ${lasting}.${others}${silent}`);
  }
  return silent ? say("info", "No alert fires.", silent) : say("ok", "No alert fires.", ` ${plural(cards.length, "service")} report.`);
}

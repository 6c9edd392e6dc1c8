// @ts-check
// Objectives: what is left of each budget, how fast it burns, and when it is gone.

import { Spark } from "../charts/spark.js";
import { Rows, attribute, byId, el, style, text } from "../dom/el.js";
import { failed } from "../dom/failed.js";
import { mark } from "../dom/marks.js";
import { get } from "../link/api.js";
import { MISSING, clean, count, digits, known, short, span } from "../words/format.js";

/** @typedef {import("../types").Slo} Slo */

const EVERY_MS = 10_000;
const SOON_MS = 2_000;
const SHOWN = 8;
const LOW = 0.25;
const DAY_MS = 86_400_000;

// Styles of what is fetched after the first screen come with it: that screen is no larger for them.
const SHEET = `
#objectives li { display: grid; gap: 2px 12px; grid-template-columns: 20px minmax(0, 1fr) auto; padding: 11px 16px 13px; border-block-start: 1px solid var(--line); }
#objectives li > :nth-child(n + 4) { grid-column: 2 / -1; }
#objectives h3 { font-size: 14px; font-weight: 600; line-height: 20px; overflow-wrap: anywhere; }
#objectives h3 button { font-size: 14px; font-weight: 600; line-height: 20px; white-space: normal; text-align: start; }
#objectives .mark { margin-block-start: 1px; }
#objectives .left { font-weight: 600; line-height: 20px; white-space: nowrap; }
#objectives .left small { font-weight: 400; font-size: 12.5px; color: var(--ink-2); }
#objectives .budget { display: flex; gap: 12px; align-items: center; min-block-size: 22px; }
#objectives .meter { flex: 1; background: var(--raise); box-shadow: inset 0 0 0 1px var(--line); }
#objectives .meter i { background: var(--mark-ok); }
#objectives .low .meter i { background: var(--mark-warning); }
#objectives .low .left { color: var(--warning); }
#objectives .spent .left { color: var(--error); }
#objectives .spent .meter { background: var(--soft-error); box-shadow: inset 0 0 0 1px var(--mark-error); }
#objectives .spark .line { stroke: var(--mark-ok); }
#objectives .spark .end { fill: var(--mark-ok); }
#objectives .low .spark .line { stroke: var(--mark-warning); }
#objectives .low .spark .end { fill: var(--mark-warning); }
#objectives .spent .spark .line { stroke: var(--mark-error); }
#objectives .spent .spark .end { fill: var(--mark-error); }
#objectives .meta { line-height: 19px; }
#objectives .meta b { color: var(--ink); }
#objectives .meta .burns { color: var(--error); }
@media (max-width: 1180px) { #objectives { order: -1; } }
`;

/** "30 d", "12 h" @param {number} ms */
const period = (ms) => (ms % DAY_MS ? span(ms) : `${ms / DAY_MS}\u00a0d`);

/** "2 d 3 h": a day more or less counts. @param {number} ms */
const remaining = (ms) => (ms < DAY_MS ? span(ms) : `${Math.floor(ms / DAY_MS)}\u00a0d ${Math.floor((ms % DAY_MS) / 3_600_000)}\u00a0h`);

/** "99.9 %", all of its nines. @param {number} ratio */
const target = (ratio) => `${Number((ratio * 100).toPrecision(9))}\u00a0%`;

/** What is left, as a word and a number: "64.3 % left", "12 % over". @param {Slo} slo @returns {[string, string]} */
function left({ budget_left_ratio, events }) {
  if (!events) return [MISSING, ""];
  const share = Math.abs(budget_left_ratio * 100);
  const number = `${share >= 1_000 ? count(Math.round(share)) : digits(share)}\u00a0%`;
  return budget_left_ratio < 0 ? [number, " over"] : [number, " left"];
}

/** What becomes of it at this rate. @param {Slo} slo */
function fate({ exhausted_in_ms, burn_rate, events, period_ms }) {
  if (!events) return `no event in ${period(period_ms)}`;
  if (exhausted_in_ms === 0) return "spent";
  if (exhausted_in_ms !== null) return `gone in ${remaining(exhausted_in_ms)}`;
  return burn_rate ? "lasts the period" : "nothing burns";
}

/** The fastest limit that is passed. @param {Slo} slo */
const passed = ({ windows }) => windows.find((one) => one.is_burning) ?? null;

/** @param {Slo} slo */
const tone = ({ budget_left_ratio, events }) => (!events ? "" : budget_left_ratio <= 0 ? "spent" : budget_left_ratio < LOW ? "low" : "");

/** @param {Slo} slo */
const standing = (slo) => slo.alert?.state === "firing" ? slo.alert.severity : slo.alert ? "pending" : slo.events ? (slo.budget_left_ratio <= 0 ? "warning" : "ok") : "unknown";

/** @param {Slo} slo */
const keyOf = (slo) => JSON.stringify([slo.name, slo.labels]);

/** @param {import("../state/app.js").App} app */
const row = (app) => (/** @type {Slo} */ first) => {
  const sign = el("span"), name = el("h3"), rest = el("b"), word = el("small"), bar = el("i"), spark = new Spark("");
  const what = el("p", { class: "meta" }), rate = el("b"), burn = el("span");
  const node = el("li", null, sign, name, el("span", { class: "left" }, rest, word),
    el("div", { class: "budget" }, el("span", { class: "meter" }, bar), spark.node), el("p", { class: "meta" }, rate, burn), what);
  const labels = Object.values(first.labels).map((one) => clean(one, 60)).join(" ");
  let shown = "";
  return { node, update: (/** @type {Slo} */ slo) => {
    const id = slo.alert?.id ?? "";
    const state = standing(slo);
    if (shown !== state + id) {
      shown = state + id;
      sign.replaceChildren(mark(state, state === "ok" ? "on budget" : undefined));
      const title = el("bdi", null, `${clean(slo.name, 60)}${labels ? ` ${labels}` : ""}`);
      name.replaceChildren(id ? el("button", { class: "text", onclick: () => app.change({ alert: id }) }, title) : title);
    }
    node.className = tone(slo);
    const [number, side] = left(slo);
    text(rest, number);
    text(word, side);
    style(bar, "inline-size", `${(Math.min(1, Math.max(0, slo.events ? slo.budget_left_ratio : 0)) * 100).toFixed(1)}%`);
    spark.set(slo.burn_down.map((one) => (known(one) ? Math.max(0, one) : null)), 1);
    const limit = passed(slo);
    text(rate, known(slo.burn_rate) ? `burns ${digits(slo.burn_rate)}×` : "");
    attribute(rate, "class", limit && "burns");
    text(burn, `${limit ? `, limit ${digits(limit.burn_rate)}×` : ""}${known(slo.burn_rate) ? "; " : ""}${fate(slo)}`);
    const at = slo.is_exact ? "" : `, counted at ${digits(slo.counted_at)}`;
    const young = slo.events && slo.covered_ratio < 0.95 ? `, ${span(slo.covered_ratio * slo.period_ms)} of them so far` : "";
    text(what, `${target(slo.objective)} with ${clean(slo.good, 80)}${at} over ${period(slo.period_ms)}${young}: ${short(slo.bad)} of ${short(slo.events)} ${slo.events === 1 ? "event" : "events"} bad`);
  } };
};

/** @param {import("../state/app.js").App} app */
export function slosPanel(app) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(SHEET);
  document.adoptedStyleSheets.push(sheet);
  const [meta, list, trouble] = [el("span", { class: "meta" }), el("ul"), el("div")];
  const more = el("p", { class: "meta quiet" });
  const panel = el("section", { class: "panel", id: "objectives", "aria-labelledby": "objectives-title", hidden: true },
    el("header", null, el("h2", { id: "objectives-title" }, "Objectives"), meta), list, more, trouble);
  byId("alerts").after(panel);
  const rows = new Rows(list, row(app));
  let asked_ms = 0;
  let service = "";
  const read = async () => {
    asked_ms = Date.now();
    const of = (service = app.view.service);
    /** @type {{slos: Slo[], total: number} | null} */
    let answer = null;
    try {
      answer = await get("/slos", { service: of });
    } catch (error) {
      // What the panel held stays; where it held nothing, there may be no objective at all.
      if (of === app.view.service && !panel.hidden) trouble.replaceChildren(failed(error, () => void read()));
    }
    if (!answer || of !== app.view.service) return;
    trouble.replaceChildren();
    draw(answer.slos, answer.total);
  };
  /** @param {Slo[]} slos @param {number} total */
  const draw = (slos, total) => {
    panel.hidden = !slos.length;
    const kept = slos.filter((one) => one.budget_left_ratio > 0).length;
    text(meta, `${count(kept)} of ${count(slos.length)} on budget`);
    rows.show(slos.slice(0, SHOWN), keyOf);
    more.hidden = total <= SHOWN;
    text(more, `${count(total - SHOWN)} more have more left`);
  };
  return (/** @type {Set<string>} */ changed) => {
    if (!app.state || app.screen !== "service" || app.is_signed_out) return;
    if (service !== app.view.service) panel.hidden = true;
    const age_ms = Date.now() - asked_ms;
    const isDue = age_ms >= EVERY_MS || (age_ms >= SOON_MS && changed.has("alerts"));
    if (service !== app.view.service || (isDue && !document.hidden)) void read();
  };
}

// @ts-check
// Cards of all services: worst first, then busiest; the pipeline's own last.

import { Spark } from "../charts/spark.js";
import { Rows, attribute, byId, el, figure, text } from "../dom/el.js";
import { mark } from "../dom/marks.js";
import { SEVERITIES, title } from "../words/alerts.js";
import { verdictOfServices } from "../words/verdict_of_all.js";
import { clean, count, duration, perMinute, percent, plural, span } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").Card} Card */
const SILENT_MS = 60_000;
const HEIGHT = 50;

/** @param {Card} card */
const rank = (card) => (card["worst_alert"]?.state === "firing" ? SEVERITIES.indexOf(card["worst_alert"].severity) : -1);
/** @param {Card} card */
const minute = (card) => (card["minute"]?.requests === undefined ? { ...card, error_ratio: card["error_rate"] } : card["minute"]);

/** @param {App} app */
export function servicesPanel(app) {
  const rows = new Rows(byId("cards"), (/** @type {Card} */ card) => cardRow(app, card));
  return (/** @type {Set<string>} */ changed) => {
    if (app.screen !== "services" || !app.cards || !["cards", "clock", "view"].some((part) => changed.has(part))) return;
    const shown = app.cards.filter((card) => !card.is_internal).map((card) => ({ service: card.service, worst: card["worst_alert"] ?? null, is_stale: app.now() - card.closed_through_ms > SILENT_MS }));
    const link = { is_live: !app.is_dim, now_ms: app.now(), last_ms: Number(app.through_ms), times: app.times };
    const said = app.verdict_of_all?.text;
    app.verdict_of_all = verdictOfServices(shown, link);
    if (app.verdict_of_all.text !== said) app.touch("link");
    const cards = [...app.cards].sort((a, b) => Number(a.is_internal ?? false) - Number(b.is_internal ?? false) || rank(b) - rank(a) || (minute(b).requests ?? 0) - (minute(a).requests ?? 0) || (a.service < b.service ? -1 : 1));
    rows.show(cards, (card) => card.service);
  };
}

/** @param {App} app @param {Card} first @returns {import("../dom/el.js").Row<Card>} */
function cardRow(app, first) {
  const [sign, alerts, said] = [el("span", { class: "sign" }), el("span", { class: "meta" }), el("p", { class: "meta" })];
  const values = ["requests/min", "errors", "p95"].map((label) => ({ label, node: el("dd") }));
  const [traffic, errors] = [new Spark("rate", { width: 300, height: HEIGHT, area: true }), new Spark("err", { width: 300, height: HEIGHT, area: true })];
  const search = new URLSearchParams({ service: first.service });
  const link = el("a", { href: `?${search}`, onclick: (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    app.change({ service: first.service, view: "" }, { push: true });
  } }, el("bdi", null, clean(first.service, 64)));
  const node = el("li", { class: "card" }, el("header", null, sign, el("h2", null, link), alerts), el("div", { class: "sparks" }, traffic.node, errors.node),
    el("dl", null, ...values.map(({ label, node: value }) => el("div", null, el("dt", null, label), value))), said);
  let shape = "";
  return { node, update: (card) => {
    const now = minute(card);
    const worst = card["worst_alert"]?.state === "firing" ? card["worst_alert"] : null;
    const silent_ms = app.now() - card.closed_through_ms;
    const isSilent = silent_ms > SILENT_MS;
    const kind = worst ? worst.severity : isSilent ? "info" : "ok";
    if (kind !== shape) sign.replaceChildren(mark((shape = kind), isSilent ? "silent" : undefined));
    attribute(node, "class", `card ${worst?.severity ?? ""} ${isSilent ? "silent" : ""}`);
    text(alerts, isSilent ? "silent" : card["firing"] ? plural(Number(card["firing"]), "alert") : card.is_internal ? "the pipeline itself" : "");
    figure(/** @type {HTMLElement} */ (values[0]?.node), [isSilent ? "–" : count(perMinute(now.requests, now.covered_ms)), ""]);
    figure(/** @type {HTMLElement} */ (values[1]?.node), isSilent ? ["–", ""] : percent(now.error_ratio));
    figure(/** @type {HTMLElement} */ (values[2]?.node), isSilent ? ["–", ""] : duration(now.p95_ms));
    /** @type {HTMLElement} */ (values[1]?.node).className = worst && (now.error_ratio ?? 0) > 0.02 ? "bad" : "";
    text(said, worst ? title(worst) : isSilent ? `no events for ${span(silent_ms)}` : "nothing firing");
    const spark = card["spark"];
    if (!spark) return;
    const most = Math.max(1, ...spark.requests.map((/** @type {number | null} */ n) => n ?? 0)) * 1.12;
    traffic.set(spark.requests, most);
    errors.set(spark.errors ?? [], most);
  } };
}

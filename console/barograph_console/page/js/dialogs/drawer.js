// @ts-check
// One alert in full: why, where it comes from, what happened, and how it ended the last times.

import { open } from "../dom/dialog.js";
import { el, style, text } from "../dom/el.js";
import { failed } from "../dom/failed.js";
import { mark } from "../dom/marks.js";
import { toast } from "../dom/toast.js";
import { get } from "../link/api.js";
import { cause, contributors, labelWords, lasting, standing, title } from "../words/alerts.js";
import { clean, duration, share, span, words } from "../words/format.js";
import { acknowledge, resolve, takeBack } from "./acting.js";
import { ruleChart } from "./rule_chart.js";
import { silenceForm } from "./silencing.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").Alert} Alert @typedef {import("../types").AlertInFull} AlertInFull */

/** @type {HTMLDialogElement | null} */
let shown = null;

/** Show the drawer that the URL asks for, or none. @param {App} app */
export function drawer(app) {
  const id = app.view.alert;
  if (shown && shown.dataset["alert"] !== id) {
    shown.dataset["alert"] = id;
    shown.close();
  }
  if (!id || shown || app.view.view === "wall" || !app.state) return;
  const content = el("div", { class: "content" });
  const onClose = () => {
    shown = null;
    if (app.view.alert === id) app.change({ alert: "" });
  };
  shown = open({ name: "drawer", label: "Alert", onClose }, content);
  shown.dataset["alert"] = id;
  const known = app.state.alerts.get(id);
  if (known) content.replaceChildren(...parts(app, known, null));
  else content.replaceChildren(close(), el("p", { class: "meta" }, "Reading the alert."));
  content.querySelector("button")?.focus();
  void fill(app, id, content);
}

/** @param {App} app @param {string} id @param {HTMLElement} content */
async function fill(app, id, content) {
  try {
    const alert = await get(`/alerts/${id}`);
    if (shown?.dataset["alert"] !== id) return;
    const hadFocus = shown.contains(document.activeElement);
    content.replaceChildren(...parts(app, { ...alert, why: "" }, alert));
    if (hadFocus) content.querySelector("button")?.focus();
  } catch (error) {
    content.querySelector(".failed, .meta:last-child")?.remove();
    content.append(failed(error, () => void fill(app, id, content)));
  }
}

const close = () => el("button", { class: "close", onclick: () => shown?.close() }, "Close");

/** "error, high-error-rate, firing for 3 min". @param {Alert} alert @param {number} now_ms */
function meta(alert, now_ms) {
  const isOver = alert.state === "resolved" || alert.state === "inactive";
  return `${alert.severity}, ${clean(alert.rule, 80)}, ${isOver ? "over" : `${standing(alert)} for ${lasting(alert, now_ms)}`}${cause(alert)}`;
}

/** @param {App} app @param {Alert} alert @param {AlertInFull | null} full @returns {Node[]} */
function parts(app, alert, full) {
  const head = el("header", null, mark(standing(alert) === "pending" ? "pending" : alert.severity), el("p", { class: "meta" }, meta(alert, app.now())), close());
  const labels = labelWords(alert.labels);
  return [head, el("h2", null, el("bdi", null, title(alert))), labels && el("p", { class: "meta" }, el("bdi", null, labels)), ...afterWhat(alert, full), actions(app, alert, full?.source_url),
    ...why(app, alert, full), ...(full ? says(full) : []), ...comesFrom(alert), ...(full && app.can_change && alert.state === "firing" && !alert.silenced_by?.length ? silenceForm(app, alert) : []), ...(full ? [...happened(app, full), ...similar(app, full)] : [])].filter((node) => node instanceof Node);
}

/** @param {unknown} url */
const isPage = (url) => typeof url === "string" && /^https?:\/\//i.test(url);

/** "2 min after deploy api 2.15, by ci". @param {Alert} alert @param {AlertInFull | null} full */
function afterWhat(alert, full) {
  const since = alert.fired_at_ms ?? alert.started_at_ms;
  const said = (full?.markers ?? []).map((one) => {
    const words = `${span(since - one.at_ms)} after ${clean(one.kind, 32)} ${clean(one.title, 100)}${one.actor ? `, by ${clean(one.actor, 60)}` : ""}`;
    return el("li", null, el("bdi", null, words), isPage(one.url) && " ", isPage(one.url) && el("a", { href: one.url, rel: "noreferrer noopener", target: "_blank" }, "More"));
  });
  return said.length ? [el("ul", { class: "meta" }, ...said)] : [];
}

/** @param {App} app @param {Alert} alert @param {string} [source] */
function actions(app, alert, source) {
  const copy = () => void navigator.clipboard?.writeText(location.href).then(() => toast("The link is copied."), () => toast("The browser does not allow copying."));
  const canTake = app.can_change && standing(alert) === "firing";
  return el("div", { class: "actions" },
    canTake && el("button", { class: "primary", onclick: () => void acknowledge(app, alert) }, "Acknowledge"),
    app.can_change && alert.state === "firing" && alert.ack && el("button", { onclick: () => void takeBack(app, alert.id) }, "Take back"),
    app.can_change && alert.state === "firing" && el("button", { onclick: () => void resolve(app, alert) }, "Resolve"),
    el("button", { onclick: copy }, "Copy link"),
    isPage(alert.runbook) && el("a", { class: "button", href: alert.runbook, rel: "noreferrer noopener", target: "_blank" }, "Runbook"),
    isPage(source) && el("a", { class: "button", href: source, rel: "noreferrer noopener", target: "_blank" }, "Source"));
}

/** What the program that pushed the alert says of it, besides its summary. @param {AlertInFull} full */
function says(full) {
  const told = Object.entries(full.annotations ?? {}).filter(([name, words]) => words !== full.summary && words !== full.runbook && name !== "summary");
  const rows = told.map(([name, words]) => el("p", { class: "meta" }, el("b", null, el("bdi", null, clean(name, 80))), " ", el("bdi", null, clean(words, 2_000))));
  return rows.length ? [el("h3", null, "What it says"), ...rows] : [];
}

/** @param {App} app @param {Alert} alert @param {AlertInFull | null} full */
function why(app, alert, full) {
  const reason = full ? (typeof full.why === "string" ? full.why : full.why?.text) : "";
  if (!full) return [];
  const rest = typeof full.why === "object" && full.why?.resolves ? `; clears when ${clean(full.why.resolves, 300)}` : "";
  const next = full.next_notification_ms ? ` Next notification ${app.times.near(full.next_notification_ms, app.now())}.` : "";
  const ends = alert.ends_at_ms ? ` Pushed by another program, it ends ${app.times.near(alert.ends_at_ms, app.now())} unless it is pushed again.` : "";
  const chart = full.series?.values?.length ? ruleChart(app, full.series, alert.severity) : null;
  return [el("h3", null, "Why"), el("p", { class: "quote" }, el("bdi", null, `${clean(reason || alert.summary || alert.rule, 600).replace(/\.$/, "")}${rest}.${next}${ends}`)), chart].filter((node) => node !== null);
}

/** @param {Alert} alert */
function comesFrom(alert) {
  const all = contributors(alert, 8);
  if (!all.length) return [];
  const of = alert.contributors[0]?.of === "errors" ? "errors" : alert.contributors[0]?.of === "count" ? "events" : "time";
  const rows = all.map(({ words: name, ratio }) => {
    const fill = el("i");
    style(fill, "inline-size", `${Math.min(100, ratio * 100)}%`);
    return el("li", null, el("bdi", null, name), el("span", { class: "meter", "aria-hidden": "true" }, fill), el("span", { class: "ratio" }, share(ratio)));
  });
  return [el("h3", null, of === "time" ? "Where the time goes" : `Where the ${of} come from`), el("ul", { class: "parts" }, ...rows)];
}

/** @param {App} app @param {AlertInFull} full */
function happened(app, full) {
  const rows = (full.log ?? []).slice(-200).map((entry) => {
    const by = entry.actor ? ` by ${clean(entry.actor, 60)}` : "";
    const what = entry.what === "delivery" ? (entry.result ?? "sent") : entry.what;
    const sent = entry.channel ? ` ${clean(entry.channel, 60)}` : "";
    const late = typeof entry.delay_ms === "number" ? `, ${words(duration(entry.delay_ms))}` : "";
    return el("li", null, el("time", null, app.times.exact(entry.at_ms)), el("p", null, el("b", null, clean(what, 60).replaceAll("_", " ")), el("bdi", null, `${by}${sent}${late}${entry.note ? ` ${clean(entry.note, 300)}` : ""}`)));
  });
  return rows.length ? [el("h3", null, "What happened"), el("ol", { class: "log" }, ...rows)] : [];
}

/** @param {App} app @param {AlertInFull} full */
function similar(app, full) {
  const rows = (full.similar ?? []).slice(0, 3).map((one) => {
    const lasted = one.ended_at_ms ? ` for ${span(one.ended_at_ms - one.started_at_ms)}` : "";
    const deeds = (one.deeds ?? []).map((deed) => el("p", null, el("b", null, clean(deed.what, 40)), el("bdi", null, ` by ${clean(deed.actor, 60)}${deed.note ? `: ${clean(deed.note, 300)}` : ""}`)));
    const nobody = deeds.length ? "" : ", nobody acted";
    return el("li", null, el("time", null, app.times.day(one.started_at_ms)), el("div", null, el("p", null, `${lasted.trim()}${nobody}`), ...deeds));
  });
  return rows.length ? [el("h3", null, "The last times"), el("ol", { class: "log" }, ...rows)] : [];
}

/** @param {Alert} alert */
const acted = (alert) => `${alert.state} ${alert.ack?.actor ?? ""} ${alert.silenced_by?.join() ?? ""}`;

/** Keep the open drawer's age and state up to date; one whose alert somebody acted on is read again. @param {App} app */
export function refreshDrawer(app) {
  const line = shown?.querySelector("header .meta");
  const alert = shown && app.state?.alerts.get(shown.dataset["alert"] ?? "");
  if (shown && alert && shown.dataset["standing"] !== acted(alert)) {
    const isNew = shown.dataset["standing"] === undefined;
    shown.dataset["standing"] = acted(alert);
    const content = /** @type {HTMLElement | null} */ (shown.querySelector(".content"));
    if (!isNew && content) void fill(app, alert.id, content);
  }
  if (line && alert) text(line, meta(alert, app.now()));
}

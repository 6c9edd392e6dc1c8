// @ts-check
// What fires, what may soon, and what is kept quiet: by need of a person, then worst, then oldest.

import { later } from "../dialogs/loading.js";
import { Rows, attribute, byId, el, style, text } from "../dom/el.js";
import { mark } from "../dom/marks.js";
import { stage } from "../state/stages.js";
import { cause, contributors, counted, lasting, standing, title } from "../words/alerts.js";
import { clean, plural, share, span } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").Alert} Alert */

const GROUPED_FROM = 20;
const IN_GROUP = 50;
/** @typedef {{alert: Alert} | {rule: string, alerts: Alert[]}} Item */

/** @param {App} app @param {(id: string) => void} show */
export function alertsPanel(app, show) {
  const [list, quiet, silences] = [byId("alert-list"), byId("alerts-quiet"), byId("silence-list")];
  /** @type {Set<string>} */
  const opened = new Set();
  const rows = new Rows(list, (/** @type {Item} */ item) => ("alert" in item ? alertRow(app, item.alert, show) : groupRow(item.rule, opened, app)));
  const silenced = new Rows(silences, (/** @type {import("../types").Silence} */ first) => {
    const words = el("span");
    let shown = first;
    const over = el("button", { class: "text", onclick: () => void later().then(({ end }) => end(app, shown)) }, "End");
    return { node: el("li", null, el("span", { class: "tag" }, "silenced"), words, over), update: (one) => {
      shown = one;
      text(words, silenceWords(one, app.now()));
      over.hidden = !app.can_change;
    } };
  });

  return (/** @type {Set<string>} */ changed) => {
    if (!["alerts", "overview", "clock", "view", "selection", "log"].some((part) => changed.has(part)) || !app.state) return;
    const alerts = app.ordered;
    text(byId("alert-count"), counted(alerts) || "");
    rows.show(items(alerts, opened), (item) => ("alert" in item ? item.alert.id : `rule ${item.rule}`));
    quiet.hidden = alerts.length > 0;
    if (!alerts.length) sayQuiet(app, quiet);
    silenced.show(app.state.silences.slice(0, IN_GROUP), (one) => one.id);
  };
}

/** Beyond twenty, alerts are grouped by rule, and a group that was opened shows its first.
 * @param {Alert[]} alerts @param {Set<string>} opened @returns {Item[]} */
function items(alerts, opened) {
  if (alerts.length <= GROUPED_FROM) return alerts.map((alert) => ({ alert }));
  /** @type {Map<string, Alert[]>} */
  const groups = new Map();
  for (const alert of alerts) {
    const group = groups.get(alert.rule);
    if (group) group.push(alert);
    else groups.set(alert.rule, [alert]);
  }
  return [...groups].slice(0, IN_GROUP).flatMap(([rule, group]) => [{ rule, alerts: group }, ...(opened.has(rule) ? group.slice(0, IN_GROUP).map((alert) => ({ alert })) : [])]);
}

/** @param {string} rule @param {Set<string>} opened @param {App} app @returns {import("../dom/el.js").Row<Item>} */
function groupRow(rule, opened, app) {
  const [sign, count] = [el("span", { class: "sign" }), el("span", { class: "meta" })];
  const toggle = () => {
    if (!opened.delete(rule)) opened.add(rule);
    app.touch("alerts");
  };
  const button = el("button", { class: "group", onclick: toggle }, sign, el("bdi", null, clean(rule, 80)), count);
  let severity = "";
  return { node: el("li", { class: "alert" }, button), update: (item) => {
    if (!("alerts" in item)) return;
    const first = item.alerts[0];
    if (first && severity !== first.severity) sign.replaceChildren(mark((severity = first.severity)));
    const rest = item.alerts.length - IN_GROUP;
    text(count, counted(item.alerts) + (opened.has(rule) && rest > 0 ? `, the first ${IN_GROUP} below` : ""));
    attribute(button, "aria-expanded", String(opened.has(rule)));
  } };
}

/** @param {App} app @param {Alert} first @param {(id: string) => void} show @returns {import("../dom/el.js").Row<Item>} */
function alertRow(app, first, show) {
  let shown = first;
  const [sign, name, meta, acked, parts] = [el("span", { class: "sign" }), el("bdi"), el("p", { class: "meta" }, el("bdi"), el("b"), el("span")), el("span", { class: "tag info" }), el("ul", { class: "parts" })];
  const open = () => show(shown.id);
  const take = el("button", { class: "primary", onclick: () => void later().then(({ acknowledge }) => acknowledge(app, shown)) }, "Acknowledge");
  const mute = el("button", { onclick: () => void later().then(({ silence }) => silence(app, shown)) }, "Silence 1 h");
  const actions = el("div", { class: "actions" }, take, mute, el("button", { onclick: open }, "Why"));
  const node = el("li", { class: "alert" }, sign, el("div", { class: "body" }, el("h3", null, el("button", { class: "plain", onclick: open }, name)), meta, acked, parts, actions));
  const bars = new Rows(parts, (/** @type {{words: string, ratio: number}} */ part) => {
    const [fill, ratio] = [el("i"), el("span", { class: "ratio" })];
    return { node: el("li", null, el("bdi", null, part.words), el("span", { class: "meter", "aria-hidden": "true" }, fill), ratio), update: (now) => {
      style(fill, "inline-size", `${Math.min(100, now.ratio * 100)}%`);
      text(ratio, share(now.ratio));
    } };
  });
  let shape = "";
  return { node, update: (item) => {
    if (!("alert" in item)) return;
    shown = item.alert;
    const state = standing(shown);
    const kind = state === "pending" ? "pending" : shown.severity;
    if (kind !== shape) sign.replaceChildren(mark((shape = kind)));
    text(name, title(shown));
    const { before, lasting, after } = metaWords(shown, state, app.now());
    text(/** @type {Node} */ (meta.children[0]), before);
    text(/** @type {Node} */ (meta.children[1]), lasting);
    text(/** @type {Node} */ (meta.children[2]), after);
    acked.hidden = !shown.ack;
    if (shown.ack) text(acked, `acknowledged by ${clean(shown.ack.actor, 40)}`);
    bars.show(state === "firing" ? contributors(shown, 2) : [], (part) => part.words);
    const isSelected = app.selected === shown.id || (!app.selected && app.ordered[0]?.id === shown.id && state === "firing");
    node.className = `alert ${state}${isSelected ? " selected" : ""}`;
    actions.hidden = !isSelected;
    mute.hidden = take.hidden = !app.can_change || state !== "firing";
  } };
}

/** @param {Alert} alert @param {string} state @param {number} now_ms */
function metaWords(alert, state, now_ms) {
  const rule = clean(alert.rule, 60);
  const words = lasting(alert, now_ms);
  if (state === "pending") return { before: `${rule}, pending for `, lasting: words, after: cause(alert) };
  return { before: `${alert.severity}, ${rule}, `, lasting: words, after: `${cause(alert)}${state === "silenced" ? ", silenced" : ""}${alert.is_flapping ? ", flapping" : ""}` };
}

/** @param {import("../types").Silence} one @param {number} now_ms */
function silenceWords(one, now_ms) {
  const what = clean(one.matchers.join(", "), 120);
  const left = one.ends_at_ms === null ? ", until resolved" : `, ${span(one.ends_at_ms - now_ms)} left`;
  return `${what}${left}, by ${clean(one.actor, 40)}${one.comment ? `: ${clean(one.comment, 80)}` : ""}`;
}

/** @param {App} app @param {HTMLElement} place Who watches, and what was last. */
function sayQuiet(app, place) {
  const last = app.state?.episodes.filter((one) => one[3] !== null && one[4] !== null).sort((a, b) => Number(b[4]) - Number(a[4]))[0];
  const watching = app.rules === null ? "" : stage(app.state, "alerter")?.workers === 0 ? "Nothing watches it: no alerter is running. " : app.rules ? `${plural(app.rules, "rule")} ${app.rules === 1 ? "watches" : "watch"} ${clean(app.view.service, 60)}. ` : "No rule is about this service. ";
  const was = last ? `Last alert: ${clean(last[0], 60)}, ${span(app.now() - Number(last[4]))} ago, for ${span(Number(last[4]) - Number(last[3]))}.` : "";
  const [lead, rest] = [...place.children];
  if (!lead || !rest) place.replaceChildren(el("strong", null, "Nothing is firing."), el("span"));
  text(/** @type {Node} */ (place.lastChild), watching + was);
}

// @ts-check
// Keys: each does what a button does, and none works in a field or under a dialog.

import { later } from "../dialogs/loading.js";
import { byId } from "../dom/el.js";
import { RANGES, neighbour, rangeMs } from "../state/url.js";
import { hideChosen } from "./chosen.js";
import { keysAreOn } from "./key_switch.js";
import { toggleTheme } from "./header.js";

/** @typedef {import("../state/app.js").App} App */
const isOpen = () => document.querySelector("dialog[open]") !== null;

/** @param {App} app @param {import("../charts/cursor.js").Cursor} cursor */
export function keys(app, cursor) {
  let isAfterG = false;
  const actions = actionsOf(app, cursor);
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || isOpen() || app.view.view === "wall") return;
    const isField = target.matches("input, select, textarea");
    if (event.key === "Escape") return escape(app, cursor, target);
    const isArrow = event.key === "ArrowLeft" || event.key === "ArrowRight";
    // The strips are a slider: its arrows stay when the keys are switched off.
    if (isField || (!keysAreOn() && !(isArrow && target.id === "strips"))) return;
    if ((event.key === " " || event.key === "Enter") && target.matches("button, a, summary")) return;
    const name = isAfterG ? `g ${event.key}` : event.key;
    isAfterG = event.key === "g";
    const action = actions[name] ?? (/^[1-8]$/.test(event.key) ? () => app.change({ range: RANGES[Number(event.key) - 1]?.[0] ?? "1h", from_ms: null, to_ms: null }, { push: true }) : null);
    if (!action || (app.screen !== "service" && !["g s", "t", "?"].includes(name))) return;
    event.preventDefault();
    action();
  });
}

/** @param {App} app @param {import("../charts/cursor.js").Cursor} cursor @returns {Record<string, () => void>} */
function actionsOf(app, cursor) {
  /** @param {number} by */
  const select = (by) => {
    const ids = app.ordered.slice(0, 20).map((one) => one.id);
    const at = Math.max(0, ids.indexOf(app.selected || (ids[0] ?? "")));
    app.selected = ids[Math.max(0, Math.min(ids.length - 1, at + (app.selected ? by : Math.max(0, by - 1))))] ?? "";
    app.touch("selection");
    requestAnimationFrame(() => document.querySelector(".alert.selected")?.scrollIntoView({ block: "nearest" }));
  };
  const why = () => app.change({ alert: app.selected || (app.ordered[0]?.id ?? "") });
  /** @param {number} points */
  const move = (points) => {
    const series = app.state?.series;
    if (series) cursor.by(points, series.step_ms, series.from_ms + series.points * series.step_ms);
  };
  /** @param {"acknowledge" | "silence"} what */
  const act = (what) => {
    const alert = app.ordered.find((one) => one.id === app.selected) ?? app.ordered[0];
    if (alert && app.can_change) void later().then((dialogs) => dialogs[what](app, alert));
  };
  return {
    a: () => act("acknowledge"), s: () => act("silence"), u: () => void later().then(({ undo }) => undo(app)),
    j: () => select(1), k: () => select(-1), Enter: why, w: why, " ": () => (app.is_frozen ? app.goLive() : app.pause()), ".": () => app.goLive(),
    "[": () => shift(app, -1), "]": () => shift(app, 1), "-": () => app.change({ range: neighbour(app.view.range, 1), from_ms: null, to_ms: null }, { push: true }),
    "=": () => app.change({ range: neighbour(app.view.range, -1), from_ms: null, to_ms: null }, { push: true }), ArrowLeft: () => move(-1), ArrowRight: () => move(1),
    "/": () => byId("filter").focus(), d: () => app.change({ table: !app.view.table }), "g s": () => app.change({ view: "services", service: "", route: "", alert: "" }, { push: true }),
    t: () => toggleTheme(app), "?": () => void later().then(({ help }) => help()),
  };
}

/** Half a window earlier or later; at the newest it is live again. @param {App} app @param {number} by */
function shift(app, by) {
  const series = app.state?.series;
  if (!series) return;
  const length = app.view.from_ms !== null && app.view.to_ms !== null ? app.view.to_ms - app.view.from_ms : rangeMs(app.view.range);
  const step = Math.max(series.step_ms, Math.floor(length / 2 / series.step_ms) * series.step_ms);
  const from_ms = (app.view.from_ms ?? series.from_ms) + by * step;
  if (from_ms + length > app.now()) return app.goLive();
  app.change({ from_ms, to_ms: from_ms + length }, { push: !app.is_fixed });
}

/** Close the nearest thing that is open. @param {App} app @param {import("../charts/cursor.js").Cursor} cursor @param {HTMLElement} target */
function escape(app, cursor, target) {
  const filter = /** @type {HTMLInputElement} */ (byId("filter"));
  if (hideChosen()) return;
  if (target === filter) {
    if (filter.value) {
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
    } else filter.blur();
  } else if (cursor.ms !== null) cursor.to(null);
  else if (app.is_fixed) history.back();
  else if (app.view.route) app.change({ route: "" }, { push: true });
}

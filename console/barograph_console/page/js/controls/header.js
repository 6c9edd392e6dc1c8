// @ts-check
// The bar at the top: which service, which range, and how far behind real time the page is.

import { later } from "../dialogs/loading.js";
import { attribute, byId, el, text } from "../dom/el.js";
import { toast } from "../dom/toast.js";
import { RANGES, format } from "../state/url.js";
import { clean, span } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App */
const SHOWN = ["5m", "15m", "1h", "6h", "24h", "7d"];

/** @param {App} app */
export function headerPanel(app) {
  const service = /** @type {HTMLSelectElement} */ (byId("service"));
  service.addEventListener("change", () => app.change({ service: service.value === "*" ? "" : service.value, view: service.value === "*" ? "services" : "", route: "", alert: "", from_ms: null, to_ms: null }, { push: true }));
  const ranges = RANGES.filter(([name]) => SHOWN.includes(name)).map(([name]) => {
    const button = el("button", { onclick: () => app.change({ range: name, from_ms: null, to_ms: null }, { push: true }) }, name);
    byId("ranges").append(button);
    return { name, button };
  });
  byId("pause").addEventListener("click", () => (app.is_frozen ? app.goLive() : app.pause()));
  byId("theme").addEventListener("click", () => toggleTheme(app));
  byId("help").addEventListener("click", () => void later().then(({ help }) => help()));
  byId("focus-clear").addEventListener("click", () => app.change({ route: "" }, { push: true }));
  byId("copy").addEventListener("click", () => copyLink(app));
  byId("as-table").addEventListener("click", () => app.change({ table: !app.view.table }));

  return (/** @type {Set<string>} */ changed) => {
    if (changed.has("view") || changed.has("overview") || changed.has("cards")) {
      services(app, service);
      for (const { name, button } of ranges) attribute(button, "aria-pressed", String(!app.is_fixed && app.view.range === name));
      byId("focus").hidden = !app.view.route;
      text(byId("focus-route"), clean(app.view.route, 60));
      text(byId("title"), app.screen === "services" ? "All services" : clean(app.view.service, 64) || "barograph");
    }
    byId("services").hidden = app.screen !== "services";
    byId("service-page").hidden = app.screen === "services" || app.screen === "first_run";
    byId("first-run").hidden = app.screen !== "first_run";
    byId("strips").hidden = app.view.table;
    byId("table").hidden = !app.view.table;
    text(byId("as-table"), app.view.table ? "Show as chart" : "Show as table");
    const { words, kind } = linkWords(app);
    text(byId("link-words"), words);
    byId("link").className = `link ${kind}`;
    text(byId("pause"), app.is_frozen ? `Go live${app.arrived ? ` (${app.arrived} new ${app.arrived === 1 ? "alert" : "alerts"})` : ""}` : "Pause");
    byId("pause").hidden = app.screen !== "service";
    text(byId("who"), [clean(app.session.name, 40), app.session.role && app.session.role !== "admin" ? "Read only" : ""].filter(Boolean).join(", "));
    byId("who").classList.toggle("read", app.session.role === "read");
    document.documentElement.classList.toggle("dim", app.is_dim);
    document.documentElement.dataset["screen"] = app.screen;
    if (app.view.view === "wall") document.documentElement.dataset["view"] = "wall";
    else delete document.documentElement.dataset["view"];
  };
}

/** @param {App} app @param {HTMLSelectElement} select */
function services(app, select) {
  const names = new Set((app.cards ?? []).map((card) => card.service));
  if (app.view.service) names.add(app.view.service);
  const options = ["*", ...names];
  if ([...select.options].map((option) => option.value).join("\n") !== options.join("\n")) {
    select.replaceChildren(...options.map((name) => el("option", { value: name }, name === "*" ? "All services" : clean(name, 64))));
  }
  select.value = app.screen === "services" ? "*" : app.view.service || "*";
  /** @type {HTMLElement} */ (select.parentElement).hidden = app.screen === "first_run";
}

/** @param {App} app @returns {{words: string, kind: string}} */
export function linkWords(app) {
  const { phase } = app.live;
  if (app.is_signed_out) return { words: "Signed out", kind: "lost" };
  if (phase.state === "reconnecting") {
    const wait = Math.max(0, Math.ceil((phase.retry_ms - Date.now()) / 1000));
    return { words: wait ? `Reconnecting in ${wait} s` : "Reconnecting", kind: "lost" };
  }
  if (phase.state === "connecting") return { words: Date.now() - phase.since_ms > 1_000 ? "Connecting" : "", kind: "waiting" };
  if (app.is_stale) return { words: `Figures are ${span(app.now() - Number(app.through_ms))} old: no aggregator reports`, kind: "lost" };
  if (app.screen === "service" && app.state) {
    if (app.paused_ms !== null) return { words: `Paused at ${app.times.exact(app.paused_ms)}`, kind: "paused" };
    if (app.is_fixed) return { words: `Shows ${app.times.near(Number(app.view.from_ms), app.now())} to ${app.times.near(Number(app.view.to_ms), app.now())}`, kind: "paused" };
    const late_ms = app.state.pipeline.behind_ms;
    return { words: late_ms === null ? "Live" : `Live, ${(late_ms / 1000).toFixed(1)} s behind`, kind: "live" };
  }
  return { words: "Live", kind: "live" };
}

/** @param {App} app */
export function toggleTheme(app) {
  const root = document.documentElement;
  const isDark = root.dataset["theme"] ? root.dataset["theme"] === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset["theme"] = isDark ? "light" : "dark";
  localStorage.setItem("barograph.theme", root.dataset["theme"]);
  app.change({ theme: "" });
}

/** A fixed window, so that a colleague sees the same an hour later. @param {App} app */
function copyLink(app) {
  const { series } = app.state ?? {};
  const window = series ? { from_ms: series.from_ms, to_ms: series.from_ms + series.points * series.step_ms } : {};
  const link = `${location.origin}${location.pathname}${format({ ...app.view, ...window })}`;
  const done = navigator.clipboard?.writeText(link);
  if (done) done.then(() => toast("The link is copied: it shows this very window."), () => toast(link));
  else toast(link);
}

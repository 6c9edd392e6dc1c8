// @ts-check
// Routes by what they cost, each with its last half hour.

import { Bar, Spark } from "../charts/spark.js";
import { Rows, attribute, byId, el, figure, text } from "../dom/el.js";
import { failed } from "../dom/failed.js";
import { get } from "../link/api.js";
import { clean, count, duration, known, perMinute, percent, plural, share } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").Cell} Cell */
/** @typedef {{key: string, method: string, route: string, at: (name: string) => number | null}} Endpoint */

const FIRST = 100;
const CALM = 0.05;
const MOST = 500;
const REST_MS = 10_000;
/** Column, its head, and whether a sparkline stands before the number. @type {[string, string, string][]} */
const COLUMNS = [
  ["requests", "Requests/min", "rate"], ["errors", "Errors", "err"], ["p50_ms", "p50", ""], ["p95_ms", "p95", "p95"], ["p99_ms", "p99", ""], ["time_ratio", "Share of time", ""],
];

/** @param {App} app */
export function endpointsPanel(app) {
  const body = byId("endpoint-rows");
  const filter = /** @type {HTMLInputElement} */ (byId("filter"));
  const more = byId("more-endpoints");
  let limit = FIRST;
  const rest = new Rest();
  more.addEventListener("click", () => {
    limit = Infinity;
    app.touch("endpoints-filter");
  });
  filter.addEventListener("input", () => app.touch("endpoints-filter"));
  const heads = head(app);
  const rows = new Rows(body, (/** @type {Endpoint} */ one) => endpointRow(app, one));

  return (/** @type {Set<string>} */ changed) => {
    const { state } = app;
    if (!state || !["figures", "overview", "view", "endpoints-filter"].some((part) => changed.has(part))) return;
    const isWhole = !(state.endpoints.total && state.endpoints.total > state.endpoints.rows.length);
    byId("endpoints-failed").hidden = isWhole;
    if (!isWhole && (limit > FIRST || filter.value)) void rest.ask(app);
    const all = isWhole ? endpoints(state.endpoints) : together(endpoints(state.endpoints), rest.rows);
    const wanted = filter.value.trim().toLowerCase();
    const found = wanted ? all.filter((one) => `${one.method} ${one.route}`.toLowerCase().includes(wanted)) : all;
    sort(found, app.view.sort);
    rows.show(found.slice(0, limit), (one) => one.key);
    const total = wanted ? found.length : Math.max(found.length, state.endpoints.total ?? 0);
    more.hidden = Math.min(total, MOST) <= limit;
    text(more, total > MOST ? `Show the busiest ${MOST} of ${count(total)}` : `Show all ${count(total)}`);
    const none = byId("endpoints-none");
    none.hidden = found.length > 0;
    text(none, wanted && all.length ? `None of ${plural(all.length, "endpoint")} contains “${clean(wanted, 40)}”.` : "No request in the last minute.");
    for (const [name, node] of heads) {
      const isSorted = app.view.sort.replace("-", "") === name;
      attribute(node, "aria-sort", isSorted ? (app.view.sort.startsWith("-") ? "descending" : "ascending") : null);
    }
  };
}

/** Endpoints that ticks leave out, asked for when somebody wants to see all, and again when they are old. */
class Rest {
  /** @type {Endpoint[]} */
  rows = [];
  #asked_ms = 0;
  #service = "";

  /** @param {App} app */
  async ask(app) {
    const { service } = app.view;
    if (service !== this.#service) [this.rows, this.#asked_ms, this.#service] = [[], 0, service];
    if (Date.now() - this.#asked_ms < REST_MS) return;
    this.#asked_ms = Date.now();
    const place = byId("endpoints-failed");
    try {
      const { endpoints: found } = await get("/endpoints", { service, limit: MOST });
      if (service !== this.#service) return;
      this.rows = endpoints(found);
      place.replaceChildren();
      app.touch("endpoints-filter");
    } catch (error) {
      place.replaceChildren(failed(error, () => {
        this.#asked_ms = 0;
        void this.ask(app);
      }));
    }
  }
}

/** @param {Endpoint[]} fresh @param {Endpoint[]} rest */
function together(fresh, rest) {
  const known = new Set(fresh.map((one) => one.key));
  return [...fresh, ...rest.filter((one) => !known.has(one.key))];
}

/** @param {import("../types").Endpoints} table @returns {Endpoint[]} */
function endpoints({ columns, rows }) {
  const place = new Map(columns.map((name, i) => [name, i]));
  return rows.map((row) => {
    /** @param {string} name */
    const cell = (name) => row[place.get(name) ?? -1] ?? null;
    const [method, route] = [String(cell("method") ?? ""), String(cell("route") ?? "")];
    return { key: `${method} ${route}`, method, route, at: (name) => /** @type {number | null} */ (name === "errors" ? ratio(cell("errors"), cell("requests")) : cell(name)) };
  });
}

/** @param {Cell} part @param {Cell} all */
const ratio = (part, all) => (all ? Number(part) / Number(all) : null);

/** @param {Endpoint[]} all @param {string} order Column, with "-" for the largest first. */
function sort(all, order) {
  const sign = order.startsWith("-") ? -1 : 1;
  const name = order.replace("-", "");
  const isText = name === "route" || name === "method";
  all.sort((a, b) => sign * (isText ? (a[name] < b[name] ? -1 : 1) : (a.at(name) ?? -1) - (b.at(name) ?? -1)) || (a.key < b.key ? -1 : 1));
}

/** @param {App} app @returns {Map<string, HTMLElement>} */
function head(app) {
  const heads = new Map();
  for (const [name, label, spark] of /** @type {[string, string, string][]} */ ([["route", "Endpoint", ""], ...COLUMNS])) {
    const onclick = () => app.change({ sort: app.view.sort === `-${name}` ? name : `-${name}` });
    const node = el("th", { scope: "col", class: `of-${name}` }, el("button", { class: "plain", onclick }, label, el("span", { class: "arrow", "aria-hidden": "true" })));
    if (spark) node.classList.add("with-spark");
    heads.set(name, node);
    byId("endpoint-head").append(node);
  }
  return heads;
}

/** @param {App} app @param {Endpoint} one @returns {import("../dom/el.js").Row<Endpoint>} */
function endpointRow(app, one) {
  const name = `${clean(one.method, 10)} ${clean(one.route, 300)}`;
  const focus = () => app.change({ route: one.key }, { push: true });
  const link = el("button", { class: "plain route", onclick: focus, title: name }, el("span", { class: "method" }, clean(one.method, 10)), el("bdi", null, clean(one.route, 120)));
  const cells = COLUMNS.map(([column, , ink]) => ({ column, value: el("span", { class: "number" }), spark: ink ? new Spark(ink) : null, bar: column === "time_ratio" ? new Bar() : null }));
  const node = el("tr", null, el("th", { scope: "row" }, link), ...cells.map(({ column, value, spark, bar }) => el("td", { class: column }, spark?.node, bar?.node, value)));
  /** @type {unknown} */
  let drawn = null;
  return { node, update: (now) => {
    for (const { column, value, bar } of cells) {
      const number = now.at(column);
      if (column === "requests") text(value, count(perMinute(number, app.state?.minute.covered_ms)));
      else if (column === "time_ratio") text(value, share(number));
      else figure(value, column === "errors" ? percent(number) : duration(number));
      bar?.set(number);
      value.className = `number ${tone(app, now, column)}`;
    }
    const sparks = app.state?.endpoints.spark;
    if (!sparks || drawn === sparks) return;
    drawn = sparks;
    for (const { column, spark } of cells) if (spark) drawSpark(spark, column, sparks, sparks.keys?.indexOf(now.key) ?? -1);
  } };
}

/** Red above the rule's threshold, amber when half as slow again as before. @param {App} app @param {Endpoint} one @param {string} column */
function tone(app, one, column) {
  const value = one.at(column);
  if (column === "errors" && known(value)) {
    const limit = app.state?.thresholds.find((rule) => rule.figure === "error_ratio")?.value ?? CALM;
    return value > limit ? "bad" : value > limit / 2 ? "worse" : "";
  }
  const before = one.at("before_p95_ms");
  return column === "p95_ms" && known(value) && known(before) && value > before * 1.5 ? "worse" : "";
}

/** @param {Spark} spark @param {string} column @param {NonNullable<import("../types").Endpoints["spark"]>} sparks @param {number} row */
function drawSpark(spark, column, sparks, row) {
  const values = sparks[/** @type {"requests"} */ (column)]?.[row] ?? [];
  if (column !== "errors") return spark.set(values);
  // Calm lines share one scale, so that noise looks like noise.
  const ratios = values.map((errors, i) => ratio(errors, sparks.requests[row]?.[i] ?? null));
  spark.set(ratios, CALM);
  spark.node.classList.toggle("calm", !ratios.some((one) => (one ?? 0) > CALM / 2));
}

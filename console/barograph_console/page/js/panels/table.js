// @ts-check
// The same figures as a table: for whoever does not see a chart, and for whoever wants the numbers.

import { Rows, byId, el, text } from "../dom/el.js";
import { derived } from "../state/series.js";
import { count, duration, percent, words } from "../words/format.js";

const FIRST = 120;
const HEADS = ["Time", "Requests/min", "Errors", "4xx", "p50", "p95", "p99", "Producers missing"];

/** @param {import("../state/app.js").App} app */
export function tablePanel(app) {
  const body = el("tbody");
  const table = el("table", { class: "points" }, el("caption", { class: "vh" }, "Traffic, errors and duration by time"),
    el("thead", null, el("tr", null, ...HEADS.map((head) => el("th", { scope: "col" }, head)))), body);
  const more = el("button", { class: "more", onclick: () => { limit = Infinity; draw(); } });
  byId("table").append(table, more);
  let limit = FIRST;
  const rows = new Rows(body, (/** @type {{ms: number, cells: string[]}} */ point) => {
    const cells = point.cells.map(() => el("td"));
    const node = el("tr", null, el("th", { scope: "row" }, app.times.near(point.ms, app.now())), ...cells);
    return { node, update: ({ ms, cells: values }) => {
      text(/** @type {Node} */ (node.firstChild), app.times.near(ms, app.now()) + app.times.exact(ms).slice(5));
      values.forEach((value, i) => text(/** @type {Node} */ (cells[i]), value));
    } };
  });

  function draw() {
    const { state } = app;
    if (!state) return;
    const { series } = state;
    const figures = derived(series);
    const points = [];
    for (let i = series.points - 1; i >= 0 && points.length < limit; i -= 1) {
      points.push({ ms: series.from_ms + i * series.step_ms, cells: [
        count(figures.rate[i]), words(percent(figures.error_ratio[i])), words(percent(figures.e4xx_ratio[i])), words(duration(figures.p50_ms[i])),
        words(duration(figures.p95_ms[i])), words(duration(figures.p99_ms[i])), count(figures.missing[i]),
      ] });
    }
    rows.show(points, ({ ms }) => String(ms));
    more.hidden = series.points <= points.length;
    text(more, `Show all ${count(series.points)}`);
  }

  return (/** @type {Set<string>} */ changed) => {
    const { table: isTable } = app.view;
    if (isTable && ["view", "figures", "overview"].some((part) => changed.has(part))) draw();
  };
}

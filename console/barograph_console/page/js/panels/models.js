// @ts-check
// Versions of models side by side, on common scales.

import { Rows, byId, el, figure, style, svg, text, attribute } from "../dom/el.js";
import { clean, digits, duration, known, percent, share } from "../words/format.js";

/** @typedef {import("../types").Model} Model @typedef {{model: Model, main: Model, all: number, most: number, has: (name: keyof Model) => boolean}} Item */
/** @type {[keyof Model, string][]} */
const FIGURES = [["mae", "MAE"], ["labelled_ratio", "labelled"], ["confidence", "confidence"], ["p95_ms", "p95"], ["error_ratio", "errors"]];
/** Where more is worse. */
const COMPARED = ["mae", "p95_ms", "error_ratio"];
const SHOWN = 12;

/** @param {Model} model */
const key = (model) => `${model.model} ${model.version}`;

/** @param {import("../state/app.js").App} app */
export function modelsPanel(app) {
  const rows = new Rows(byId("model-list"), modelRow);
  return (/** @type {Set<string>} */ changed) => {
    const { state } = app;
    if (!state || !["figures", "overview"].some((part) => changed.has(part))) return;
    const models = [...state.models].sort((a, b) => (a.model === b.model ? a.version.localeCompare(b.version, "en", { numeric: true }) : a.model < b.model ? -1 : 1)).slice(-SHOWN);
    const most = Math.max(0, ...models.map(({ hist }) => Math.max(0, ...(hist ?? [])) / Math.max(1, sum(hist))));
    rows.show(models.map((model) => {
      const siblings = models.filter((one) => one.model === model.model);
      const main = siblings.reduce((a, b) => (b.events > a.events ? b : a));
      // A figure that no version has says nothing, and one that a single version lacks is a difference.
      return { model, main, has: (name) => siblings.some((one) => known(/** @type {number | null} */ (one[name]))), all: siblings.reduce((total, one) => total + one.events, 0), most };
    }), (item) => key(item.model));
    byId("models-none").hidden = models.length > 0;
  };
}

/** @param {number[] | null | undefined} hist */
const sum = (hist) => (hist ?? []).reduce((a, b) => a + b, 0);

/** @param {Item} first @returns {import("../dom/el.js").Row<Item>} */
function modelRow(first) {
  const traffic = el("span", { class: "meta" });
  const cells = FIGURES.map(([name, label]) => ({ name, value: el("dd"), beside: el("dd", { class: "beside" }), label }));
  const histogram = new Histogram();
  const places = cells.map(({ label, value, beside }) => el("div", null, el("dt", null, label), value, beside));
  const node = el("li", null, el("div", null, el("h3", null, el("bdi", null, `${clean(first.model.model, 60)} ${clean(first.model.version, 40)}`), " ", traffic),
    el("dl", null, ...places)), histogram.node);
  return { node, update: ({ model, main, all, most, has }) => {
    places.forEach((place, i) => (place.hidden = !has(FIGURES[i]?.[0] ?? "mae")));
    text(traffic, `${share(all ? model.events / all : null)} of predictions`);
    for (const { name, value, beside } of cells) {
      const number = /** @type {number | null} */ (model[name]);
      const than = /** @type {number | null} */ (main[name]);
      figure(value, name === "p95_ms" ? duration(number) : name === "error_ratio" ? percent(number) : [name === "labelled_ratio" ? share(number) : known(number) ? digits(number) : "–", ""]);
      const isCompared = model !== main && COMPARED.includes(name) && known(number) && known(than) && than > 0;
      const factor = isCompared ? number / than : 1;
      value.className = factor >= 1.5 ? "worse" : "";
      text(beside, isCompared && Math.abs(factor - 1) > 0.05 ? `${factor >= 2 ? `${digits(Number(factor.toFixed(1)))}× of` : `${factor > 1 ? "+" : "−"}${Math.round(Math.abs(factor - 1) * 100)} % on`} ${clean(main.version, 20)}` : "");
    }
    histogram.set(model, most);
  } };
}

class Histogram {
  constructor() {
    this.bars = svg("g");
    this.mean = svg("rect", { width: 1.2, height: 40, class: "mean" });
    this.node = el("figure", { class: "histogram" }, svg("svg", { viewBox: "0 0 130 40", "aria-hidden": "true", preserveAspectRatio: "none" }, this.bars, this.mean),
      el("figcaption", null, el("span", null, "confidence 0"), el("span", null, "1")));
  }

  /** @param {Model} model @param {number} most The highest share of a bin, of all versions. */
  set(model, most) {
    const hist = model.hist ?? [];
    const all = sum(hist);
    this.node.hidden = !all;
    if (this.bars.childElementCount !== hist.length) this.bars.replaceChildren(...hist.map((_, i) => svg("rect", { x: ((i * 130) / hist.length).toFixed(1), width: (130 / hist.length - 1).toFixed(1) })));
    hist.forEach((n, i) => {
      const height = most && all ? (n / all / most) * 40 : 0;
      const bar = /** @type {Element} */ (this.bars.children[i]);
      attribute(bar, "height", height.toFixed(1));
      attribute(bar, "y", (40 - height).toFixed(1));
    });
    attribute(this.mean, "x", ((model.confidence ?? 0) * 130).toFixed(1));
    style(this.mean, "visibility", known(model.confidence) ? "visible" : "hidden");
  }
}

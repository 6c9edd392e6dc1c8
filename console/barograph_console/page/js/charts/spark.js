// @ts-check
// Lines and bars the size of a word.

import { attribute, svg } from "../dom/el.js";

const WIDTH = 84;
const HEIGHT = 20;

export class Spark {
  /** @param {string} name Class that gives the ink. @param {{width?: number, height?: number, area?: boolean}} [size] */
  constructor(name, { width = WIDTH, height = HEIGHT, area = false } = {}) {
    this.width = width;
    this.height = height;
    this.line = svg("path", { class: "line" });
    this.area = area ? svg("path", { class: "area" }) : null;
    this.end = area ? null : svg("circle", { r: 2, class: "end" });
    this.node = svg("svg", { class: `spark ${name}`, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", preserveAspectRatio: area ? "none" : false }, this.area, this.line, this.end);
  }

  /** @param {ArrayLike<number | null>} values @param {number} [least] The scale reaches at least this far. */
  set(values, least = 0) {
    let most = least;
    for (let i = 0; i < values.length; i += 1) most = Math.max(most, values[i] ?? 0);
    const step = this.width / Math.max(1, values.length - 1);
    const inner = this.height - 4;
    const bottom = this.area ? this.height : this.height - 2;
    let path = "";
    let begin = -1;
    let area = "";
    for (let i = 0; i <= values.length; i += 1) {
      const value = i < values.length ? values[i] : null;
      if (value === null || value === undefined || Number.isNaN(value)) {
        // A single point has no line to another: a dash of half a step, towards the inside.
        if (begin >= 0 && begin === i - 1 && this.area) {
          const dash = `h${((begin ? -step : step) / 2).toFixed(1)}`;
          path += dash;
          area += dash;
        }
        if (begin >= 0 && this.area) area += `V${this.height}H${(begin * step).toFixed(1)}Z`;
        begin = -1;
        continue;
      }
      const point = `${(i * step).toFixed(1)} ${(bottom - (most ? value / most : 0) * inner).toFixed(1)}`;
      path += `${begin < 0 ? "M" : "L"}${point}`;
      area += `${begin < 0 ? "M" : "L"}${point}`;
      if (begin < 0) begin = i;
      if (this.end) {
        const [x, y] = point.split(" ");
        attribute(this.end, "cx", Math.min(Number(x), this.width - 2));
        attribute(this.end, "cy", y);
      }
    }
    attribute(this.line, "d", path);
    if (this.area) attribute(this.area, "d", area);
  }
}

/** A bar with what it stands for next to it, and the threshold of a rule as a tick. */
export class Bar {
  constructor(name = "") {
    this.fill = svg("rect", { height: 6, rx: 3, y: 4 });
    this.tick = svg("rect", { width: 1.5, height: 14, class: "tick" });
    this.node = svg("svg", { class: `bar ${name}`, viewBox: "0 0 60 14", "aria-hidden": "true", preserveAspectRatio: "none" },
      svg("rect", { width: 60, height: 6, rx: 3, y: 4, class: "track" }), this.fill, this.tick);
  }

  /** @param {number | null} ratio @param {number | null} [limit] 0 to 1 like the ratio. */
  set(ratio, limit = null) {
    attribute(this.fill, "width", (Math.min(1, Math.max(0, ratio ?? 0)) * 60).toFixed(1));
    attribute(this.tick, "visibility", limit === null ? "hidden" : null);
    if (limit !== null) attribute(this.tick, "x", (Math.min(1, limit) * 60 - 0.7).toFixed(1));
  }
}

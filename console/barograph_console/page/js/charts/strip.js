// @ts-check
// One strip of the recorder's paper: lines over the shared time axis, with gaps, hatching and what rules say.

import { Bound, linear, logarithmic } from "./axis.js";
import { Paper, ink, stroke } from "./paper.js";

/** @typedef {{key: string, ink: string, width?: number, dash?: number[], fill?: string}} Line */
/** @typedef {{scale: "count" | "share" | "log", lines: Line[]}} Options */
/** @typedef {import("../types").Columns} Columns @typedef {import("./axis.js").TimeAxis} TimeAxis @typedef {CanvasRenderingContext2D} Pen */

const PAD = 5;

export class Strip {
  /** @type {Columns | null} */
  #columns = null;
  #cursor = -1;
  #high = new Bound();
  #low = new Bound();

  /** @param {HTMLCanvasElement} canvas @param {TimeAxis} axis @param {Options} series */
  constructor(canvas, axis, series) {
    this.paper = new Paper(canvas);
    this.axis = axis;
    this.series = series;
  }

  /** @param {Columns} columns */
  set(columns) {
    this.#columns = columns;
    this.draw();
  }

  /** Mark the point at a moment, none outside. @param {number | null} ms */
  cursorAt(ms) {
    const { from_ms, step_ms } = this.#columns ?? { from_ms: 0, step_ms: 1 };
    const next = ms === null ? -1 : Math.floor((ms - from_ms) / step_ms);
    if (next === this.#cursor) return;
    this.#cursor = next;
    this.draw();
  }

  draw() {
    const columns = this.#columns;
    const pen = columns && this.paper.begin();
    if (!columns || !pen) return;
    const { axis, paper } = this;
    const { y, ticks } = this.#scale(columns);
    for (const { from_ms, to_ms, severity } of columns.tints) {
      if (to_ms < axis.from_ms) continue;
      pen.fillStyle = ink(`tint-${severity}`);
      pen.fillRect(axis.inside(from_ms), 0, Math.max(1, axis.inside(to_ms) - axis.inside(from_ms)), paper.height);
    }
    stroke(pen, "line", 1 / paper.ratio, [], () => {
      for (const { ms } of axis.ticks(columns.times)) line(pen, paper.crisp(axis.x(ms)), 0, 0, paper.height);
      for (const { value } of ticks) line(pen, axis.gutter, paper.crisp(y(value)), axis.end - axis.gutter, 0);
    });
    labels(pen, axis, ticks, y, paper.height);
    hatch(pen, axis, columns, paper.height);
    for (const one of this.series.lines) this.#line(pen, columns, one, y);
    const shown = columns.flags.filter((ms) => ms >= axis.from_ms && ms <= axis.to_ms);
    stroke(pen, "accent", 1.5, [1.5, 3], () => shown.forEach((ms) => line(pen, paper.crisp(axis.x(ms)), 0, 0, paper.height)));
    this.#limits(pen, columns, y);
  }

  /** @param {Columns} columns */
  #scale({ values, now_ms, limits }) {
    const { lines, scale } = this.series;
    let [low, high] = [Infinity, 0];
    for (const { key } of lines) {
      for (const value of values[key] ?? []) {
        if (value > high) high = value;
        if (value > 0 && value < low) low = value;
      }
    }
    const bottom = this.paper.height - PAD;
    if (scale === "log") {
      const top = this.#high.next(high > 0 ? high * 1.3 : 1_000, now_ms);
      return logarithmic(this.#low.next(Math.min(low, top / 10) * 0.8, now_ms, -1), top, PAD, bottom);
    }
    // A line that says when an alert fires is worth its room only when the figure comes near.
    const near = limits.map(({ value }) => value).filter((value) => value <= high * 3);
    const least = scale === "share" ? 0.01 / 1.12 : 1 / 1.12;
    return linear(this.#high.next(Math.max(high, least, ...near), now_ms), PAD, bottom, scale === "share");
  }

  /** @param {Pen} pen @param {Columns} columns @param {Line} line @param {(value: number) => number} y */
  #line(pen, columns, { key, ink: name, width = 1.4, dash = [], fill }, y) {
    const values = columns.values[key] ?? new Float64Array(0);
    const { end: right } = this.axis;
    const first = this.axis.x(columns.from_ms + columns.step_ms / 2);
    const pitch = this.axis.x(columns.from_ms + columns.step_ms * 1.5) - first;
    const x = (/** @type {number} */ i) => Math.min(right, first + i * pitch);
    const at = (/** @type {number} */ i) => y(/** @type {number} */ (values[i]));
    const has = (/** @type {number} */ i) => Number(values[i]) >= 0;
    const path = (/** @type {number} */ begin, /** @type {number} */ end) => {
      // A lone point would draw nothing: it is as wide as a dot.
      const half = end - begin === 1 ? 1.5 : 0;
      pen.moveTo(x(begin) - half, at(begin));
      for (let i = begin; i < end; i += 1) pen.lineTo(x(i) + half, at(i));
    };
    const solid = columns.is_open ? values.length - 1 : values.length;
    pen.lineJoin = "round";
    for (const [begin, end] of runs(solid, has)) {
      if (fill) {
        pen.beginPath();
        path(begin, end);
        pen.lineTo(x(end - 1), y(0));
        pen.lineTo(x(begin), y(0));
        pen.fillStyle = ink(fill);
        pen.fill();
      }
      stroke(pen, name, width, dash, () => path(begin, end));
    }
    // The newest point is still being counted.
    if (columns.is_open && has(solid - 1) && has(solid)) stroke(pen, name, width, [1.5, 2.5], () => path(solid - 1, solid + 1));
    if (!has(this.#cursor)) return;
    pen.beginPath();
    pen.arc(x(this.#cursor), at(this.#cursor), 3, 0, 7);
    pen.fillStyle = ink(name);
    pen.fill();
  }

  /** Lines of rules, each broken by its own words. @param {Pen} pen @param {Columns} columns @param {(value: number) => number} y */
  #limits(pen, { limits }, y) {
    let named = -Infinity;
    pen.textAlign = "left";
    for (const { value, words, ink: name = "error" } of limits) {
      const at = this.paper.crisp(y(value));
      if (at <= PAD + 1) continue;
      let left = this.axis.gutter;
      // Words that would touch those of another line are left out.
      if (Math.abs(at - named) >= 14) {
        named = Math.max(7, Math.min(this.paper.height - 7, at));
        stroke(pen, "card", 3, [], () => pen.strokeText(words, left + 6, named));
        pen.fillStyle = ink(name);
        pen.fillText(words, left + 6, named);
        left += pen.measureText(words).width + 12;
      }
      stroke(pen, name, 1, name === "error" ? [4, 3] : [1.5, 3], () => line(pen, left, at, this.axis.end - left, 0));
    }
  }
}

/** @param {Pen} pen @param {number} x @param {number} y @param {number} right @param {number} down */
function line(pen, x, y, right, down) {
  pen.moveTo(x, y);
  pen.lineTo(x + right, y + down);
}

/** The values of a scale, left of the plot; one that would touch another is left out.
 * @param {Pen} pen @param {TimeAxis} axis @param {{value: number, label: string}[]} ticks @param {(value: number) => number} y @param {number} height */
export function labels(pen, axis, ticks, y, height) {
  pen.fillStyle = ink("ink-3");
  pen.textAlign = "right";
  let last = Infinity;
  for (const { value, label } of ticks) {
    const middle = Math.min(height - 6, Math.max(6, y(value)));
    if (last - middle < 13) continue;
    pen.fillText(label, axis.gutter - 7, middle);
    last = middle;
  }
}

/** Slanted lines over points that lack a producer. @param {Pen} pen @param {TimeAxis} axis @param {Columns} columns @param {number} height */
export function hatch(pen, axis, { missing, from_ms, step_ms }, height) {
  for (const [begin, end] of runs(missing.length, (i) => Number(missing[i]) > 0)) {
    const [left, right] = [axis.x(from_ms + begin * step_ms), axis.x(from_ms + end * step_ms)];
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, Math.max(2, right - left), height);
    pen.clip();
    pen.globalAlpha = 0.45;
    // Anchored to time zero and not to the gap, so that the lines do not crawl as it grows.
    stroke(pen, "ink-3", 1, [], () => {
      for (let x = left - height - ((left - height) % 7); x < right; x += 7) line(pen, x, height, height, -height);
    });
    pen.restore();
  }
}

/** The spans of points for which `is` holds: each its first point, and the one after its last. @param {number} points @param {(i: number) => boolean} is */
function runs(points, is) {
  /** @type {[number, number][]} */
  const found = [];
  for (let i = 0; i < points; i += 1) {
    const last = found.at(-1);
    if (!is(i)) continue;
    if (last?.[1] === i) last[1] = i + 1;
    else found.push([i, i + 1]);
  }
  return found;
}

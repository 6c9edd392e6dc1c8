// @ts-check
// Durations of every request: a cell is a point of time by a row of whole sketch bins, so counts are exact.

import { Bound, logarithmic } from "./axis.js";
import { Paper, ink } from "./paper.js";
import { hatch, labels } from "./strip.js";

/** @typedef {import("../types").Columns & {heat: (number[] | null)[], row0: number}} HeatColumns @typedef {ReturnType<typeof counts>} Cells */

const SHADES = 24;
const FOOT = 22;

/** Where row `k` begins, in ms. @param {number} k */
export const rowStart = (k) => 2 ** Math.floor(k / 2) * (1 + (((k % 2) + 2) % 2) / 2);

export class Heat {
  #first = new Bound();
  #last = new Bound();

  /** @param {HTMLCanvasElement} canvas @param {import("./axis.js").TimeAxis} axis */
  constructor(canvas, axis) {
    this.paper = new Paper(canvas);
    this.axis = axis;
    this.sheet = document.createElement("canvas");
  }

  /** @param {HeatColumns} columns */
  set(columns) {
    const pen = this.paper.begin();
    if (!pen) return;
    const { axis, paper } = this;
    const bottom = paper.height - FOOT;
    const cells = counts(columns.heat, columns.row0, Math.ceil(columns.heat.length / Math.max(1, axis.width - axis.gutter)));
    const first = this.#first.next(Math.min(cells.first, 0), columns.now_ms, -1);
    const last = this.#last.next(Math.max(cells.last + 1, first + 12), columns.now_ms);
    const { y, ticks } = logarithmic(rowStart(first), rowStart(last), 0, bottom);
    this.#cells(pen, cells, first, last, (k) => Math.round(y(rowStart(k))));
    labels(pen, axis, ticks, y, bottom + 6);
    hatch(pen, axis, columns, bottom);
    pen.textAlign = "center";
    for (const { ms, label } of axis.ticks(columns.times)) {
      // One that would be cut is left out.
      const [x, half] = [axis.x(ms), pen.measureText(label).width / 2];
      if (x - half >= axis.gutter - 8 && x + half <= axis.width) pen.fillText(label, x, paper.height - 9);
    }
  }

  /** One pixel a cell, stretched row by row: far fewer calls than a rectangle for each.
   * @param {CanvasRenderingContext2D} pen @param {Cells} cells @param {number} first @param {number} last @param {(k: number) => number} y */
  #cells(pen, { columns, most }, first, last, y) {
    const { axis, sheet } = this;
    Object.assign(sheet, { width: columns.length, height: last - first });
    const brush = sheet.getContext("2d");
    if (!brush || !columns.length) return;
    const image = brush.createImageData(sheet.width, sheet.height);
    const inks = shades();
    columns.forEach((column, x) => {
      for (const [k, n] of column) {
        const shade = inks[Math.ceil(Math.sqrt(n / most) * SHADES) - 1];
        if (shade && k >= first && k < last) image.data.set(shade, ((last - 1 - k) * sheet.width + x) * 4);
      }
    });
    brush.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    for (let k = first; k < last; k += 1) pen.drawImage(sheet, 0, last - 1 - k, sheet.width, 1, axis.gutter, y(k + 1), axis.end - axis.gutter, y(k) - y(k + 1));
  }
}

/** Counts by row; neighbouring points are summed where there are more than pixels. @param {(number[] | null)[]} heat @param {number} row0 @param {number} spread */
export function counts(heat, row0, spread) {
  /** @type {Map<number, number>[]} */
  const columns = Array.from({ length: Math.ceil(heat.length / spread) }, () => new Map());
  let [first, last, most] = [Infinity, -Infinity, 1];
  heat.forEach((pairs, i) => {
    const column = columns[Math.floor(i / spread)];
    for (let j = 0; column && pairs && j < pairs.length; j += 2) {
      const k = row0 + Number(pairs[j]);
      const n = (column.get(k) ?? 0) + Number(pairs[j + 1]);
      column.set(k, n);
      [first, last, most] = [Math.min(first, k), Math.max(last, k), Math.max(most, n)];
    }
  });
  return { columns, first, last, most };
}

/** 24 shades between the six of the theme, as red, green, blue and opaque. */
function shades() {
  const stops = [0, 1, 2, 3, 4, 5].map((i) => ink(`heat-${i}`).match(/[\d.]+/g)?.map(Number) ?? []);
  return Array.from({ length: SHADES }, (_, i) => {
    const at = 0.6 + (i / (SHADES - 1)) * 4.4;
    const [low, high] = [stops[Math.floor(at)], stops[Math.ceil(at)]];
    return [0, 1, 2].map((c) => (low?.[c] ?? 0) * (1 - (at % 1)) + (high?.[c] ?? 0) * (at % 1)).concat(255);
  });
}

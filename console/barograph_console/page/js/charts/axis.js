// @ts-check
// The time axis that all strips share, and the scales of values.

import { digits, duration, short, words } from "../words/format.js";

const [S, M, H, D] = [1_000, 60_000, 3_600_000, 86_400_000];
const STEPS = [S, 5 * S, 10 * S, 15 * S, 30 * S, M, 2 * M, 5 * M, 10 * M, 15 * M, 30 * M, H, 2 * H, 3 * H, 6 * H, 12 * H, D, 2 * D, 7 * D, 14 * D];
const SHRINK_MS = 10_000;

export class TimeAxis {
  from_ms = 0;
  to_ms = 1;
  width = 0;
  gutter = 58;
  right = 14;

  get end() {
    return this.width - this.right;
  }

  /** @param {number} ms */
  x(ms) {
    return this.gutter + ((ms - this.from_ms) / (this.to_ms - this.from_ms)) * (this.end - this.gutter);
  }

  /** Where `ms` is, or the nearer end of the axis. @param {number} ms */
  inside(ms) {
    return Math.max(this.gutter, Math.min(this.end, this.x(ms)));
  }

  /** @param {number} x */
  ms(x) {
    const ratio = (x - this.gutter) / (this.end - this.gutter);
    return this.from_ms + Math.max(0, Math.min(1, ratio)) * (this.to_ms - this.from_ms);
  }

  /** Round local moments, far enough apart for their labels. @param {import("../words/times.js").Times} times */
  ticks(times) {
    const room = (this.end - this.gutter) / (this.width < 500 ? 84 : 110);
    const step = STEPS.find((one) => (this.to_ms - this.from_ms) / one <= room) ?? 28 * D;
    const offset = times.offset(this.from_ms);
    const ticks = [];
    for (let local = Math.ceil((this.from_ms + offset) / step) * step; ; local += step) {
      // Taken at each tick: daylight saving may begin within the range.
      const ms = local - times.offset(local - offset);
      if (ms > this.to_ms) return ticks;
      const label = step >= D || local % D === 0 ? times.day(ms) : step < M ? times.exact(ms) : times.clock(ms);
      if (ms >= this.from_ms) ticks.push({ ms, label });
    }
  }
}

/** A bound that grows at once and shrinks only after ten seconds, so that nothing twitches. */
export class Bound {
  #value = NaN;
  #smaller_ms = 0;

  /** @param {number} wanted @param {number} now_ms @param {number} [sign] -1 for a lower bound. */
  next(wanted, now_ms, sign = 1) {
    if (!(wanted * sign < this.#value * sign) || now_ms - (this.#smaller_ms ||= now_ms) >= SHRINK_MS) {
      this.#value = wanted;
      this.#smaller_ms = 0;
    }
    return this.#value;
  }
}

/** @typedef {{y(value: number): number, ticks: {value: number, label: string}[]}} Scale `y` in CSS pixels. */

/** From 0 at `bottom` to `max` and some headroom at `up`. @param {number} max @param {number} up @param {number} bottom @param {boolean} isShare @returns {Scale} */
export function linear(max, up, bottom, isShare) {
  const top = max * 1.12;
  const steps = Math.max(1, Math.floor((bottom - up + 10) / 26));
  const size = 10 ** Math.floor(Math.log10(top / steps));
  const step = [1, 2, 5, 10].map((n) => n * size).find((one) => top / one <= steps + 0.3) ?? 10 * size;
  const values = Array.from({ length: Math.floor((top * 1.0001) / step) + 1 }, (_, i) => i * step);
  const pitch = (bottom - up) / top;
  return { y: (value) => bottom - Math.min(top, value) * pitch, ticks: values.map((value) => ({ value, label: isShare ? `${digits(value * 100)} %` : short(value) })) };
}

/** Logarithmic from `low` to `high`, split at 1, 2 and 5, or at whole decades when crowded.
 * @param {number} low @param {number} high @param {number} up @param {number} bottom @returns {Scale} */
export function logarithmic(low, high, up, bottom) {
  const [begin, size] = [Math.log10(low), Math.log10(high / low) || 1];
  const pitch = (bottom - up) / size;
  const decades = Array.from({ length: Math.floor(Math.log10(high)) - Math.floor(begin) + 1 }, (_, i) => 10 ** (Math.floor(begin) + i));
  const values = decades.flatMap((decade) => (pitch > 75 ? [1, 2, 5] : [1]).map((split) => split * decade)).filter((value) => value >= low && value <= high);
  const label = (/** @type {number} */ value) => words(duration(value)).replace(/\.0+(?=\D)/, "").replace(/(\.\d)0/, "$1");
  return { y: (value) => bottom - Math.min(size, Math.max(0, Math.log10(value) - begin)) * pitch, ticks: values.map((value) => ({ value, label: label(value) })) };
}

// @ts-check
// One cursor over all strips, by pointer or by keyboard, and a span chosen by dragging.

import { el, style } from "../dom/el.js";

const DRAG_PX = 5;

export class Cursor {
  /** Where a drag began, in pixels. */
  #from = NaN;
  /** @type {number | null} */
  ms = null;

  /** @param {HTMLElement} area The strips: a slider of moments. @param {import("./axis.js").TimeAxis} axis
   * @param {{moved(ms: number | null): void, chosen(from_ms: number, to_ms: number, x: number): void, back(): void}} on */
  constructor(area, axis, on) {
    this.axis = axis;
    this.on = on;
    this.line = el("div", { class: "cursor", hidden: true });
    this.span = el("div", { class: "selection", hidden: true });
    area.append(this.line, this.span);
    /** @param {PointerEvent} event */
    const at = (event) => event.clientX - area.getBoundingClientRect().left;
    area.addEventListener("pointerdown", (event) => {
      // A finger scrolls the page; it may tap for the cursor, but does not choose a span.
      if (event.button !== 0 || event.pointerType === "touch") return;
      this.#from = at(event);
      area.setPointerCapture(event.pointerId);
    });
    area.addEventListener("pointermove", (event) => this.#move(at(event)));
    area.addEventListener("pointerup", (event) => this.#up(at(event)));
    area.addEventListener("pointercancel", () => this.clear());
    area.addEventListener("pointerleave", () => Number.isNaN(this.#from) && this.to(null));
    area.addEventListener("dblclick", () => on.back());
    area.addEventListener("blur", () => this.to(null));
  }

  /** @param {number | null} ms Where to, or back to now. */
  to(ms) {
    this.ms = ms;
    this.line.hidden = ms === null;
    if (ms !== null) style(this.line, "transform", `translateX(${this.axis.x(ms)}px)`);
    this.on.moved(ms);
  }

  /** @param {number} points How many points to move. @param {number} step_ms @param {number} newest_ms Where it starts. */
  by(points, step_ms, newest_ms) {
    const next = (this.ms ?? newest_ms - step_ms / 2) + points * step_ms;
    this.to(Math.max(this.axis.from_ms, Math.min(this.axis.to_ms - 1, next)));
  }

  clear() {
    this.#from = NaN;
    this.span.hidden = true;
  }

  /** @param {number} x */
  #move(x) {
    const { gutter, end } = this.axis;
    this.to(x < gutter ? null : this.axis.ms(x));
    if (!(Math.abs(x - this.#from) > DRAG_PX)) return;
    this.span.hidden = false;
    const [left, right] = [Math.max(gutter, Math.min(x, this.#from)), Math.min(end, Math.max(x, this.#from))];
    style(this.span, "left", `${left}px`);
    style(this.span, "width", `${right - left}px`);
  }

  /** @param {number} x */
  #up(x) {
    const [begin, end] = [Math.min(this.#from, x), Math.max(this.#from, x)];
    this.#from = NaN;
    if (end - begin > DRAG_PX) this.on.chosen(this.axis.ms(begin), this.axis.ms(end), end);
    else this.span.hidden = true;
  }
}

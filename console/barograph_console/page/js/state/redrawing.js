// @ts-check
// Who is told when a part of the state changes: panels draw in one frame, and only what changed.

/** @typedef {"view" | "figures" | "alerts" | "overview" | "link" | "clock" | "cards" | "log" | "selection" | "endpoints-filter" | "acted"} Part */

export class Redrawing {
  /** @type {Set<Part>} */
  #changed = new Set();
  #frame = 0;
  /** @type {((changed: Set<Part>) => void)[]} */
  #panels = [];

  /** @param {(changed: Set<Part>) => void} draw */
  panel(draw) {
    this.#panels.push(draw);
  }

  /** @param {Part[]} parts */
  touch(...parts) {
    for (const part of parts) this.#changed.add(part);
    // A hidden tab gets no frame: it only folds, and draws when it is looked at again.
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const changed = this.#changed;
      this.#changed = new Set();
      for (const draw of this.#panels) draw(changed);
    });
  }
}

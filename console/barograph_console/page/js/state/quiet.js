// @ts-check
// Since when nothing was asked of a service, and since when a producer of it has been missing.

export class Quiet {
  #missing_since_ms = 0;
  /** @type {number | null} */
  #last_request_ms = null;

  /** @param {import("../types").State} state @param {number} now_ms */
  note(state, now_ms) {
    if (state.minute.requests > 0) this.#last_request_ms = now_ms;
    this.#missing_since_ms = state.missing > 0 ? this.#missing_since_ms || now_ms : 0;
  }

  /** How long, in ms; null is not known. @param {number} now_ms */
  lasting(now_ms) {
    return { quiet_ms: this.#last_request_ms === null ? null : now_ms - this.#last_request_ms, silent_ms: this.#missing_since_ms ? now_ms - this.#missing_since_ms : null };
  }
}

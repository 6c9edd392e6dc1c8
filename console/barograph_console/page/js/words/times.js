// @ts-check
// Moments as people read them, in the browser's zone or in UTC.

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
/** @param {number} n */
const two = (n) => String(n).padStart(2, "0");

export class Times {
  /** @param {string} tz "UTC", or "" for the browser's zone. */
  constructor(tz) {
    this.isUtc = tz === "UTC";
    this.zone = this.isUtc ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone;
  }

  /** What to add to `ms` for local time; it changes with daylight saving. @param {number} ms */
  offset(ms) {
    return this.isUtc ? 0 : -new Date(ms).getTimezoneOffset() * 60_000;
  }

  /** @param {number} ms */
  #local(ms) {
    return new Date(ms + this.offset(ms));
  }

  /** 15:39 @param {number} ms */
  clock(ms) {
    const at = this.#local(ms);
    return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  }

  /** 15:39:07 @param {number} ms */
  exact(ms) {
    return `${this.clock(ms)}:${two(this.#local(ms).getUTCSeconds())}`;
  }

  /** 29 Nov @param {number} ms */
  day(ms) {
    const at = this.#local(ms);
    return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
  }

  /** The time alone when it is within half a day of `now_ms`, else with its day. @param {number} ms @param {number} now_ms */
  near(ms, now_ms) {
    return Math.abs(now_ms - ms) < 43_200_000 ? this.clock(ms) : `${this.day(ms)} ${this.clock(ms)}`;
  }
}

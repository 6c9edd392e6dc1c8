// @ts-check
// What the page knows: what the URL names, what was read of it, and how old that is.

import { inOrder } from "../words/alerts.js";
import { Times } from "../words/times.js";
import { STALE_MS } from "../words/verdict.js";
import { Quiet } from "./quiet.js";
import { Redrawing } from "./redrawing.js";
import { parse } from "./url.js";

/** @typedef {import("../types").State} State */

export class Known extends Redrawing {
  /** @type {State | null} */
  state = null;
  /** @type {import("../types").Card[] | null} */
  cards = null;
  /** @type {{code: string, detail: string} | null} */
  refused = null;
  /** @type {import("../link/api.js").Problem | null} */
  problem = null;
  /** @type {number | null} */
  paused_ms = null;
  session = { name: "", role: "" };
  /** @type {number | null} */
  rules = null;
  /** @type {import("../types").Message[]} */
  log = [];
  /** Why the log could not be read. @type {Error | null} */
  log_problem = null;
  /** What the cards of all services say together. @type {import("../words/verdict.js").Verdict | null} */
  verdict_of_all = null;
  /** Takes the last action back, where that can be. @type {(() => void) | null} */
  undo = null;
  /** The alert that keys act on. */
  selected = "";
  arrived = 0;
  is_signed_out = false;
  /** @type {"" | "service" | "services" | "first_run"} */
  screen = "";
  /** How far the server's clock is ahead. */
  skew_ms = 0;
  silence = new Quiet();
  /** Sorted once for each change. @type {{of: unknown, list: import("../types").Alert[]}} */
  #sorted = { of: null, list: [] };

  constructor() {
    super();
    const { view, problems } = parse(location.search);
    this.view = view;
    this.problems = problems;
    this.times = new Times(view.tz);
  }

  /** The server's clock, as its messages show it. */
  now() {
    return Date.now() + this.skew_ms;
  }

  get is_fixed() {
    return this.view.from_ms !== null;
  }

  get is_frozen() {
    return this.is_fixed || this.paused_ms !== null;
  }

  /** Whether ticks move what is shown: they are of the whole service, and of now. */
  get is_moving() {
    return !this.is_frozen && !this.view.route;
  }

  /** How far the figures on the screen go; of all services the newest, since the pipeline's own never rests. */
  get through_ms() {
    const each = this.screen === "services" ? (this.cards ?? []).map((card) => card.closed_through_ms) : this.state ? [this.state.closed_through_ms] : [];
    return each.length ? Math.max(...each) : null;
  }

  get is_stale() {
    return this.through_ms !== null && this.now() - this.through_ms > STALE_MS;
  }

  /** Alerts by need of a person. */
  get ordered() {
    const alerts = this.state?.alerts;
    if (alerts && this.#sorted.of !== alerts) this.#sorted = { of: alerts, list: inOrder(alerts.values()) };
    return alerts ? this.#sorted.list : [];
  }

  get can_change() {
    return this.session.role === "admin";
  }

  /** To be called when an alert has changed. */
  forgetOrder() {
    this.#sorted.of = null;
  }

  /** How long nothing was asked of the service, and how long a producer has been missing. */
  quiet() {
    return this.silence.lasting(this.now());
  }
}

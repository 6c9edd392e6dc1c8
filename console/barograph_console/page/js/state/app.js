// @ts-check
// How the page comes to know: it reads what the URL names, and folds what the socket says since.

import { Problem } from "../link/api.js";
import { Live } from "../link/live.js";
import { Times } from "../words/times.js";
import { adopt, fold } from "./fold.js";
import { Known } from "./known.js";
import { cards, isRefusal, overview, refreshMs, timeline } from "./questions.js";
import { format, parse } from "./url.js";

/** @typedef {import("../types").State} State @typedef {import("../types").View} View @typedef {import("../types").Message} Message */

const RECENT = 150;
/** How old an answer may be before it is read again: where there are cards, and where nothing is known. */
const [SERVICES_MS, FIRST_RUN_MS] = [15_000, 2_000];

export class App extends Known {
  #asked = 0;
  #loaded_ms = 0;
  /** @type {Message[]} */
  #recent = [];

  constructor() {
    super();
    this.live = new Live({
      message: (message) => this.#receive(message),
      phase: (phase) => {
        if (phase.state === "signed_out") this.is_signed_out = true;
        this.touch("link");
      },
      resume: () => (this.state && !this.is_frozen ? { epoch: this.state.epoch, seq: this.state.seq } : null),
    });
    addEventListener("popstate", () => this.#go(parse(location.search).view));
    setInterval(() => this.#second(), 1_000);
  }

  /** Whether what is shown may no longer be so. */
  get is_dim() {
    return this.live.phase.state === "reconnecting" || this.is_signed_out || this.is_stale;
  }

  /** @param {Partial<View>} part @param {{push?: boolean}} [how] Ranges and services push history, filters replace it. */
  change(part, { push = false } = {}) {
    const next = { ...this.view, ...part };
    const url = `${location.pathname}${format(next)}`;
    if (push) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    this.#go(next);
  }

  /** @param {View} next */
  #go(next) {
    const before = this.view;
    this.view = next;
    this.times = new Times(next.tz);
    this.touch("view");
    const asked = /** @type {const} */ (["service", "range", "from_ms", "to_ms", "route", "compare"]);
    if (before.service !== next.service) this.state = null;
    if (asked.some((name) => before[name] !== next[name]) || (before.view === "services") !== (next.view === "services")) {
      this.paused_ms = null;
      void this.load();
    }
  }

  /** Ask for what the URL names. */
  async load() {
    const ask = ++this.#asked;
    this.#loaded_ms = Date.now();
    try {
      const answer = await this.#ask();
      if (ask !== this.#asked) return;
      this.#loaded_ms = Date.now();
      this.refused = this.problem = null;
      answer();
    } catch (error) {
      if (ask !== this.#asked) return;
      this.#failed(error);
    }
    this.touch("view", "overview", "figures", "alerts", "cards", "link");
  }

  /** @returns {Promise<() => void>} */
  async #ask() {
    if (!this.view.service || this.view.view === "services") {
      const { services, at_ms } = await cards();
      this.skew_ms ||= at_ms - Date.now();
      const [only, ...others] = services.filter((card) => !card.is_internal);
      if (!only || others.length || this.view.view === "services") return () => this.#showCards(services);
      this.view = { ...this.view, service: only.service };
    }
    if (this.screen !== "service") this.live.subscribe(this.view.service);
    const answer = await overview(this.view);
    return () => this.#adopt(answer);
  }

  /** @param {import("../types").Card[]} cards */
  #showCards(cards) {
    this.cards = cards;
    // The pipeline reports on itself from its first second on: that is not yet a service.
    this.screen = this.view.view === "services" || cards.some((card) => !card.is_internal) ? "services" : "first_run";
    this.live.subscribe("*");
  }

  /** @param {import("../types").Overview} answer */
  #adopt(answer) {
    const state = adopt(answer);
    const isNew = this.state?.service !== state.service;
    const newer = this.#recent.filter((message) => message.service === state.service && (message.seq ?? 0) > state.seq);
    if (this.state?.epoch && this.state.epoch === state.epoch && !isNew && this.state.seq > state.seq) {
      // The answer came from a cache: what the socket said since is newer.
      if (!newer.length || newer[0]?.seq !== state.seq + 1) state.seq = this.state.seq;
    }
    for (const message of newer) fold(state, message, { live: this.is_moving });
    this.state = state;
    if (isNew || typeof answer.rules === "number") this.rules = answer.rules ?? null;
    this.screen = "service";
    this.skew_ms ||= answer.at_ms - Date.now();
    this.live.subscribe(state.service);
    if (isNew || this.rules === null || this.log_problem) void this.loadLog();
  }

  /** What the timeline lists, and how many rules watch the service. */
  async loadLog() {
    const { log, rules, problem } = await timeline(this.view.service);
    this.log = log ?? this.log;
    this.log_problem = problem;
    this.rules = rules ?? this.rules;
    this.touch("log", "alerts", "figures");
  }

  /** @param {unknown} error */
  #failed(error) {
    const problem = error instanceof Problem ? error : new Problem(0, "page_error", String(error));
    if (problem.status === 401) this.is_signed_out = true;
    else if (isRefusal(problem)) this.refused = problem;
    else this.problem = problem;
    if (!(error instanceof Problem)) throw error;
  }

  /** @param {Message} message */
  #receive(message) {
    if (message.type === "hello") this.session = { name: message["name"] ?? "", role: message["role"] ?? "" };
    // Only what is sent at once shows the server's clock: an alert bears the time of its change.
    const sent_ms = message.type === "snapshot" ? message["state"]?.at_ms : message.type === "tick" ? message.at_ms : 0;
    if (sent_ms) this.skew_ms = sent_ms - Date.now();
    if (message.type === "reset") {
      if (this.state && message.reason !== "lagged") this.#recent = [];
      if (this.state && message.seq !== undefined) this.state.seq = message.seq;
      void this.load();
    }
    if (this.screen !== "service" && message.service !== this.view.service) return void this.#cardMessage(message);
    this.#recent = [...this.#recent.slice(1 - RECENT), message];
    if (this.state) this.#fold(this.state, message);
    this.touch("link");
  }

  /** @param {State} state @param {Message} message */
  #fold(state, message) {
    if (message.service !== undefined && message.service !== state.service) return;
    const result = fold(state, message, { live: this.is_moving });
    if (result === "gap") {
      this.live.subscribe(state.service);
      void this.load();
    }
    if (result !== "changed") return;
    this.silence.note(state, this.now());
    if (message.type === "alert" || message.type === "silence") {
      this.forgetOrder();
      this.arrived += this.is_frozen && message["change"]?.to === "firing" ? 1 : 0;
      void this.loadLog();
    }
    this.touch("figures");
    if (message.type !== "tick") this.touch("alerts");
  }

  /** @param {Message} message */
  #cardMessage(message) {
    const cards = message["state"]?.cards ?? message["cards"];
    if (cards) this.cards = cards.map((/** @type {import("../types").Card} */ card) => ({ ...this.cards?.find((old) => old.service === card.service), ...card }));
    else if (message.type === "alert" && Date.now() - this.#loaded_ms > 500) void this.load();
    this.touch("cards", "link");
  }

  #second() {
    this.live.check();
    this.touch("clock");
    if (document.hidden || this.is_signed_out || this.is_frozen) return;
    const age = Date.now() - this.#loaded_ms;
    const isRead = this.screen === "service" && this.state && !this.problem && !this.refused;
    if (age >= (isRead ? refreshMs(this.view) : this.screen === "services" ? SERVICES_MS : FIRST_RUN_MS)) void this.load();
  }

  pause() {
    this.paused_ms = this.now();
    this.arrived = 0;
    this.touch("link", "figures");
  }

  /** Back to now: out of a pause, out of a fixed window. */
  goLive() {
    this.arrived = 0;
    this.paused_ms = null;
    if (this.is_fixed) this.change({ from_ms: null, to_ms: null });
    else void this.load();
  }

  signedIn() {
    this.is_signed_out = false;
    void this.load();
    this.live.subscribe(this.view.service || "*");
  }
}

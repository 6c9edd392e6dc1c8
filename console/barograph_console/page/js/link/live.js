// @ts-check
// The socket: what changes arrives here. It comes back by itself, and says how it is.

const URL_PATH = "/api/v1/live";
export const STALE_MS = 5_000;
const LOST_MS = 10_000;
const FIRST_MS = 500;
const LONGEST_MS = 15_000;
const HIDDEN_MS = 60_000;

/** @typedef {{state: "connecting" | "live" | "reconnecting" | "signed_out", since_ms: number, retry_ms: number}} Phase */

export class Live {
  /** @type {WebSocket | null} */
  #socket = null;
  #tries = 0;
  #timer = 0;
  #topic = "";
  heard_ms = 0;
  /** @type {Phase} */
  phase = { state: "connecting", since_ms: Date.now(), retry_ms: 0 };

  /** @param {{message(message: import("../types").Message): void, phase(phase: Phase): void, resume(): {epoch: string, seq: number} | null}} on */
  constructor(on) {
    this.on = on;
    document.addEventListener("visibilitychange", () => {
      // A hidden tab waits a minute; one that is looked at again asks at once.
      if (!document.hidden && this.phase.state === "reconnecting") this.#connect();
    });
  }

  /** @param {string} topic A service, or "*" for the cards of all. */
  subscribe(topic) {
    this.#topic = topic;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#send();
    else if (this.#socket?.readyState !== WebSocket.CONNECTING) this.#connect();
  }

  #send() {
    const resume = this.on.resume();
    this.#socket?.send(JSON.stringify({ type: "subscribe", service: this.#topic, ...(resume ? { resume } : {}) }));
  }

  #connect() {
    clearTimeout(this.#timer);
    const old = this.#socket;
    if (old) old.onclose = old.onmessage = null;
    old?.close();
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${URL_PATH}`);
    this.#socket = socket;
    this.heard_ms = Date.now();
    socket.onopen = () => this.#send();
    socket.onmessage = (event) => this.#receive(event);
    socket.onclose = (event) => this.#closed(event.code);
  }

  /** @param {MessageEvent<string>} event */
  #receive(event) {
    this.heard_ms = Date.now();
    const message = JSON.parse(event.data);
    if (message.type === "bye") return this.#wait(Number(message.retry_ms) || FIRST_MS);
    this.#tries = 0;
    if (this.phase.state !== "live") this.#enter("live", 0);
    this.on.message(message);
  }

  /** @param {number} code */
  #closed(code) {
    this.#socket = null;
    if (code === 4401) return this.#enter("signed_out", 0);
    if (code === 4404) return this.#wait(LONGEST_MS);
    this.#wait(Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries));
  }

  /** @param {number} delay_ms */
  #wait(delay_ms) {
    this.#tries += 1;
    const wait = document.hidden ? HIDDEN_MS : delay_ms;
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#connect(), wait);
    // Before the first answer there is nothing to come back to.
    this.#enter(this.phase.state === "connecting" && this.#tries < 2 ? "connecting" : "reconnecting", Date.now() + wait);
  }

  /** @param {Phase["state"]} state @param {number} retry_ms */
  #enter(state, retry_ms) {
    const since_ms = state === this.phase.state ? this.phase.since_ms : Date.now();
    this.phase = { state, since_ms, retry_ms };
    this.on.phase(this.phase);
  }

  /** Called each second: a socket that says nothing for ten is a lost one. */
  check() {
    if (this.phase.state === "live" && Date.now() - this.heard_ms > LOST_MS) {
      if (this.#socket) this.#socket.onclose = null;
      this.#socket?.close();
      this.#closed(1006);
    }
  }
}

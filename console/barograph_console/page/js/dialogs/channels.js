// @ts-check
// The channels: what waits for each, and whether a message gets through.

import { open } from "../dom/dialog.js";
import { el, style } from "../dom/el.js";
import { failed } from "../dom/failed.js";
import { get, post } from "../link/api.js";
import { clean, count, duration, span, words } from "../words/format.js";
import { refused } from "./acting.js";
import { nameOf } from "./naming.js";

/** @typedef {import("../state/app.js").App} App */
/** @typedef {{name: string, waiting: number, oldest_ms: number, sent: number, failed: number, dead: number}} Channel */

/** @param {App} app */
export function channels(app) {
  const list = el("div", { class: "result" }, el("p", { class: "meta" }, "Reading the channels."));
  const read = async () => {
    try {
      const answer = await get("/channels");
      list.replaceChildren(...(answer.channels.length ? [table(app, answer.channels)] : [el("p", null, "No channel has been used: a notifier makes them from its configuration.")]));
    } catch (error) {
      list.replaceChildren(failed(error, () => void read()));
    }
  };
  const dialog = open({ name: "within", label: "Channels" }, el("header", null, el("h2", null, "Channels"), el("button", { class: "close", onclick: () => dialog.close() }, "Close")),
    el("p", { class: "meta" }, "A test sends a marked sample, its begin and its end, and shows what came back."), list);
  void read();
}

/** @param {App} app @param {Channel[]} rows */
function table(app, rows) {
  const heads = ["Channel", "Sent", "Waiting", "Given up"].map((head) => el("th", { scope: "col" }, head));
  return el("table", null, el("thead", null, el("tr", null, ...heads, el("td"))), el("tbody", null, ...rows.flatMap((row) => lines(app, row))));
}

/** @param {App} app @param {Channel} channel */
function lines(app, channel) {
  const told = el("div", { role: "status" });
  const place = el("td", { colspan: "5" }, told);
  style(place, "text-align", "start");
  const below = el("tr", { hidden: true }, place);
  const button = el("button", { class: "text", onclick: () => void test(app, channel.name, button, below, told) }, "Send a test");
  const waits = channel.waiting ? `${count(channel.waiting)}, ${span(channel.oldest_ms)}` : "0";
  const row = el("tr", null, el("th", { scope: "row" }, el("bdi", null, clean(channel.name, 64))), el("td", null, count(channel.sent)), el("td", null, waits), el("td", null, count(channel.dead)), el("td", null, app.can_change && button));
  return [row, below];
}

/** @param {App} app @param {string} name @param {HTMLButtonElement} button @param {HTMLElement} below @param {HTMLElement} told */
async function test(app, name, button, below, told) {
  const actor = await nameOf(app);
  if (!actor) return;
  button.disabled = true;
  below.hidden = false;
  told.replaceChildren(el("p", { class: "meta" }, "A notifier sends it."));
  try {
    const answer = await post(`/channels/${encodeURIComponent(name)}/test`, actor);
    told.replaceChildren(...answer.messages.map(message));
  } catch (error) {
    const problem = /** @type {import("../link/api.js").Problem} */ (error);
    if (problem.status === 401) refused(app, problem, "");
    told.replaceChildren(el("p", { class: "failed" }, `Not tried: ${clean(problem.message)}.`));
  } finally {
    button.disabled = false;
  }
}

/** @param {{status: string, result: string, answer: string, took_ms: number}} one */
const message = (one) => el("p", { class: one.result === "sent" ? "meta" : "failed" }, el("b", null, `${one.status === "firing" ? "Begin" : "End"} ${clean(one.result, 20)}`), ` after ${words(duration(one.took_ms))}`, one.answer && el("bdi", null, `: ${clean(one.answer, 300)}`));

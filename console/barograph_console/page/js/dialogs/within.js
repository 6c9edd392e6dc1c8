// @ts-check
// "What is in here?": which routes, versions or instances make a span differ from the one before.

import { open } from "../dom/dialog.js";
import { el, style } from "../dom/el.js";
import { failed } from "../dom/failed.js";
import { get } from "../link/api.js";
import { labelWords } from "../words/alerts.js";
import { clean, count, share } from "../words/format.js";

/** @typedef {import("../state/app.js").App} App */
const OF = /** @type {[string, string][]} */ ([["errors", "errors"], ["count", "requests"], ["time", "time"]]);

/** @param {App} app @param {number} from_ms @param {number} to_ms */
export function whatIsIn(app, from_ms, to_ms) {
  const result = el("div", { class: "result" });
  const buttons = OF.map(([of, label]) => el("button", { "aria-pressed": String(of === "errors"), onclick: () => void show(of) }, label));
  /** @param {string} of */
  async function show(of) {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(OF[i]?.[0] === of)));
    try {
      const answer = await get("/contributors", { service: app.view.service, from: from_ms, to: to_ms, of, limit: 10 });
      result.replaceChildren(...shares(answer, OF.find(([one]) => one === of)?.[1] ?? of));
    } catch (error) {
      result.replaceChildren(failed(error, () => void show(of)));
    }
  }
  const dialog = open({ name: "within", label: "What is in here?" }, el("header", null, el("h2", null, "What is in here?"), el("button", { class: "close", onclick: () => dialog.close() }, "Close")),
    el("p", { class: "meta" }, `${app.times.exact(from_ms)} to ${app.times.exact(to_ms)}, compared with the same length before`), el("div", { class: "range", role: "group", "aria-label": "Shares of" }, ...buttons), result);
  void show("errors");
}

/** @param {any} answer @param {string} label */
function shares(answer, label) {
  const rows = answer.shares.map((/** @type {any} */ one) => {
    const [inside, before] = [el("i"), el("i", { class: "was" })];
    style(inside, "inline-size", `${(one.inside_ratio ?? 0) * 100}%`);
    style(before, "inline-size", `${(one.before_ratio ?? 0) * 100}%`);
    return el("tr", null, el("th", { scope: "row" }, el("bdi", null, labelWords({ [clean(one.label, 40)]: one.value }))), el("td", null, el("span", { class: "meter", "aria-hidden": "true" }, inside, before)), el("td", null, share(one.inside_ratio)), el("td", null, share(one.before_ratio)));
  });
  const total = el("p", null, `${count(answer.inside?.amount)} ${label} inside, ${count(answer.before?.amount)} before.`);
  if (!rows.length) return [total, el("p", { class: "meta" }, "No label tells them apart.")];
  return [total, el("table", null, el("thead", null, el("tr", null, ...["Label", "Share", "Inside", "Before"].map((head) => el("th", { scope: "col" }, head)))), el("tbody", null, ...rows))];
}

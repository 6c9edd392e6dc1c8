// @ts-check
// What the keys do, and the switch that turns them off.

import { keysAreOn, switchKeys } from "../controls/key_switch.js";
import { open } from "../dom/dialog.js";
import { el } from "../dom/el.js";

/** @type {[string, string][]} */
const KEYS = [
  ["j k", "next, previous alert"], ["Enter w", "open the alert: why"], ["a", "acknowledge it"], ["s", "silence it for 1 h"], ["u", "undo that"], ["Space", "pause, go live"], [".", "now"], ["[ ]", "earlier, later"], ["- =", "wider, narrower"],
  ["1 … 8", "range: 5m to 90d"], ["← →", "move the cursor"], ["/", "filter endpoints"], ["d", "table or charts"], ["g s", "all services"], ["t", "light or dark"], ["?", "this help"], ["Esc", "close, clear, zoom out"],
];

export function help() {
  const box = el("input", { type: "checkbox", id: "keys-on", checked: keysAreOn(), onchange: () => switchKeys(box.checked) });
  const dialog = open({ name: "help", label: "Keys" }, el("header", null, el("h2", null, "Keys"), el("button", { class: "close", onclick: () => dialog.close() }, "Close")),
    el("dl", { class: "keys" }, ...KEYS.map(([key, does]) => el("div", null, el("dt", null, ...key.split(" ").map((one) => el("kbd", null, one))), el("dd", null, does)))),
    el("label", { for: "keys-on" }, box, " Keys do this"), el("p", { class: "meta" }, "Drag over a strip to zoom, or to ask what is in there. The address of the page holds all that you see."));
}

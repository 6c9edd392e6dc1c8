// @ts-check
// The marks of severity: the shape alone tells, colour only repeats it.

import { svg } from "./el.js";

/** Path of the ground, and of the sign on it, in a box of 20. @type {Record<string, [string, string]>} */
const SHAPES = {
  ok: ["M10 1.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17z", "M6.2 10.3l2.6 2.6l5-5.4"],
  info: ["M10 1.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17z", "M10 9.2v4.8M10 6v.1"],
  warning: ["M10 1.6a1.4 1.4 0 0 1 1.2.7l7.6 13.4a1.4 1.4 0 0 1-1.2 2.1H2.4a1.4 1.4 0 0 1-1.2-2.1L8.8 2.3a1.4 1.4 0 0 1 1.2-.7z", "M10 7v4.6M10 14.7v.1"],
  error: ["M8.9 1.5a1.6 1.6 0 0 1 2.2 0l7.4 7.4a1.6 1.6 0 0 1 0 2.2l-7.4 7.4a1.6 1.6 0 0 1-2.2 0L1.5 11.1a1.6 1.6 0 0 1 0-2.2z", "M10 5.8v5M10 13.8v.1"],
  critical: ["M6.2 1.8h7.6l4.7 8.2l-4.7 8.2H6.2L1.5 10z", "M10 5.8v5M10 13.8v.1"],
};
const NAMES = /** @type {Record<string, string>} */ ({ ok: "all clear", unknown: "not known", acknowledged: "acknowledged" });

/** @param {string} kind A severity, or ok, pending, unknown. @param {string} [label] Said aloud in its place. */
export function mark(kind, label = NAMES[kind] ?? kind) {
  const shape = SHAPES[kind];
  const inner = shape
    ? [svg("path", { d: shape[0], class: "ground" }), svg("path", { d: shape[1], class: "sign" })]
    : [svg("circle", { cx: 10, cy: 10, r: 7.5, class: kind === "pending" ? "ring dashed" : "ring" })];
  return svg("svg", { viewBox: "0 0 20 20", class: `mark ${kind}`, role: "img", "aria-label": label }, ...inner);
}

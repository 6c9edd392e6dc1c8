import { TimeAxis } from "/page/js/charts/axis.js";
import { Strip } from "/page/js/charts/strip.js";
import { Times } from "/page/js/words/times.js";
import { everySecond, places } from "./common.js";

const axis = Object.assign(new TimeAxis(), { width: 900 });
const lines = [{ key: "a", ink: "p50" }, { key: "b", ink: "p95", width: 2 }, { key: "c", ink: "p99", dash: [4, 3] }];
const strips = places().map((place) => {
  const canvas = place.appendChild(document.createElement("canvas"));
  canvas.style.cssText = "width: 900px; height: 110px";
  return new Strip(canvas, axis, { scale: "count", lines });
});
const times = new Times("UTC");
everySecond(({ times: at, lines: [a, b, c] }) => {
  Object.assign(axis, { from_ms: at[0], to_ms: at.at(-1) });
  const values = { a: Float64Array.from(a), b: Float64Array.from(b), c: Float64Array.from(c) };
  const missing = new Float64Array(at.length);
  for (const strip of strips) strip.set({ from_ms: at[0], step_ms: 10_000, is_open: false, now_ms: Date.now(), values, missing, tints: [], flags: [], limits: [], times });
});

import "/npm/plotly.js-basic-dist-min/plotly-basic.min.js";
import { everySecond, places } from "./common.js";

const charts = places();
const layout = { width: 900, height: 110, margin: { t: 4, r: 4, b: 20, l: 40 }, showlegend: false };
everySecond(({ times, lines }) => {
  const traces = lines.map((y, i) => ({ x: times, y, mode: "lines", line: { width: 1 + (i === 1) } }));
  for (const chart of charts) globalThis.Plotly.react(chart, traces, layout, { staticPlot: true });
});

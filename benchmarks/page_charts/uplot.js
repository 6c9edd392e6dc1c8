import uPlot from "/npm/uplot/dist/uPlot.esm.js";
import { everySecond, places } from "./common.js";

const series = [{}, { stroke: "#5a8fc2" }, { stroke: "#2e6db0", width: 2 }, { stroke: "#0f2f57", dash: [4, 3] }];
const charts = places().map((place) => new uPlot({ width: 900, height: 110, series, legend: { show: false } }, null, place));
everySecond(({ times, lines }) => {
  const data = [times.map((ms) => ms / 1000), ...lines];
  for (const chart of charts) chart.setData(data);
});

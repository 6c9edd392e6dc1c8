import { LineSeries, createChart } from "/npm/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
import { everySecond, places } from "./common.js";

const charts = places().map((place) => {
  const chart = createChart(place, { width: 900, height: 110 });
  return ["#5a8fc2", "#2e6db0", "#0f2f57"].map((color) => chart.addSeries(LineSeries, { color, lineWidth: 1 }));
});
everySecond(({ times, lines }) => {
  const data = lines.map((line) => line.map((value, i) => ({ time: times[i] / 1000, value })));
  for (const chart of charts) chart.forEach((series, i) => series.setData(data[i]));
});

// Six charts of three lines with 360 points, redrawn once a second: what every chart code has to do here.
export const CHARTS = 6;
const POINTS = 360;
const STEP_MS = 10_000;
const BEGUN_MS = Date.now() - POINTS * STEP_MS;
let moved = 0;

/** Times in ms, and three lines; each call is one step later. */
export function columns() {
  moved += 1;
  const times = Array.from({ length: POINTS }, (_, i) => BEGUN_MS + (i + moved) * STEP_MS);
  const line = (level) => times.map((ms) => level * (1 + 0.1 * Math.sin(ms / 90_000) + 0.05 * Math.sin(ms / 7_000)));
  return { times, lines: [line(20), line(100), line(400)] };
}

export function places() {
  return Array.from({ length: CHARTS }, () => {
    const place = document.createElement("div");
    place.style.cssText = "width: 900px; height: 110px; position: relative";
    document.body.append(place);
    return place;
  });
}

/** @param {(data: ReturnType<typeof columns>) => void} draw */
export function everySecond(draw) {
  draw(columns());
  document.title = "drawn";
  setInterval(() => draw(columns()), 1_000);
}

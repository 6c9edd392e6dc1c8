// Folds ticks into one state of 300 points: each brings a point, new routes, a new version, and an alert that fires and ends.
async ({ from, to }) => {
  const { adopt, fold } = await import("/static/js/state/fold.js");
  const column = () => Array(300).fill(1);
  const red = Object.fromEntries(["requests", "errors", "e4xx", "p50_ms", "p95_ms", "p99_ms"].map((name) => [name, column()]));
  window.held ??= adopt({
    service: "s", epoch: "e", seq: 0, at_ms: 300000, from_ms: 0, step_ms: 1000, points: 300, covered_from_ms: 0, closed_through_ms: 300000,
    missing: 0, is_open: false, before: null, minute: { requests: 1 }, endpoints: { columns: [], rows: [] }, models: [], system: [], red,
    heat: { rows_per_octave: 2, row0: -2, cols: [] }, alerts: [], episodes: [], markers: [], silences: [], thresholds: [], pipeline: { stages: [] },
  });
  for (let seq = from; seq < to; seq += 1) {
    const t = 299000 + seq * 1000;
    const point = { t, requests: seq, errors: 1, e4xx: 2, p50_ms: 1.5, p95_ms: 2.5, p99_ms: 3.5, heat: Array.from({ length: 40 }, (_, i) => seq + i) };
    const rows = Array.from({ length: 20 }, (_, i) => ["GET", `/route/${seq}/${i}`, seq, 1, 1.5, 2.5, 3.5, 0.05]);
    const common = { service: "s", at_ms: t + 1000 };
    const columns = ["method", "route", "requests", "errors", "p50_ms", "p95_ms", "p99_ms", "time_ratio"];
    const tick = { ...common, type: "tick", seq: 3 * seq - 2, closed_through_ms: t + 1000, points: { 1000: point },
      minute: { requests: seq }, endpoints: { columns, rows }, models: [{ model: "ctr", version: `${seq}`, events: seq }] };
    const alert = { id: `a${seq}`, rule: "r", severity: "error", started_at_ms: t, fired_at_ms: t };
    const results = [tick, { ...common, type: "alert", seq: 3 * seq - 1, alert: { ...alert, state: "firing" } },
      { ...common, type: "alert", seq: 3 * seq, alert: { ...alert, state: "resolved" } }].map((message) => fold(window.held, message, { live: true }));
    if (results.some((one) => one !== "changed")) throw new Error(`${seq}: ${results}`);
  }
  return { seq: window.held.seq, newest: window.held.series.values.requests[299], alerts: window.held.alerts.size };
}

// Folds messages into the state of a service with six points of a second, 0 to 5 requests in them; the last message was 10.
async (messages) => {
  const { adopt, fold } = await import("/static/js/state/fold.js");
  const nothing = Array(6).fill(null);
  const overview = {
    service: "s", epoch: "e", seq: 10, at_ms: 6000, from_ms: 0, step_ms: 1000, points: 6, covered_from_ms: 0, closed_through_ms: 6000,
    missing: 0, is_open: false, before: null, minute: { requests: 1 }, endpoints: { columns: [], rows: [] }, models: [], system: [],
    red: { requests: [0, 1, 2, 3, 4, 5], errors: nothing, e4xx: nothing, p50_ms: nothing, p95_ms: nothing, p99_ms: nothing },
    heat: { rows_per_octave: 2, row0: -2, cols: Array.from({ length: 6 }, () => [0, 1]) }, alerts: [], episodes: [], markers: [],
    silences: [], thresholds: [], pipeline: { stages: [] },
  };
  const state = adopt(overview);
  const results = messages.map((message) => fold(state, message, { live: true }));
  const requests = [...state.series.values.requests].map((n) => (Number.isNaN(n) ? null : n));
  return { results, requests, from: state.series.from_ms, heat: state.series.heat, seq: state.seq, alerts: [...state.alerts.keys()], episodes: state.episodes,
    muted: Object.fromEntries([...state.alerts].map(([id, one]) => [id, one.silenced_by ?? []])), silences: state.silences.map((one) => one.id) };
}

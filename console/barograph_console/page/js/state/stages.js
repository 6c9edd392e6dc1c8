// @ts-check
// The stages of the pipeline, and all that the verdict is made of.

/** @typedef {import("../types").State} State */

/** @param {State | null} state @param {string} name @returns {import("../types").Stage | null} */
export const stage = (state, name) => state?.pipeline?.stages?.find((one) => one.stage === name) ?? null;

/** @param {import("./app.js").App} app @returns {import("../types").VerdictState} */
export function verdictState(app) {
  const { state } = app;
  const { quiet_ms, silent_ms } = app.quiet();
  const { known, missing } = state?.pipeline?.producers ?? { known: 0, missing: 0 };
  return {
    service: app.view.service, now_ms: app.now(), times: app.times, refused: app.refused,
    closed_through_ms: state?.closed_through_ms ?? null, alerts: app.ordered, markers: state?.markers ?? [],
    producers: { live: known - missing, known, silent_ms }, alerters: stage(state, "alerter")?.workers ?? null, rules: app.rules, quiet_ms,
    minute: state?.minute ?? { requests: 0, errors: 0, error_ratio: null, p50_ms: null, p95_ms: null, p99_ms: null, apdex: null, apdex_t_ms: 0 },
  };
}

// The shapes that the page reads from the API, for `// @ts-check`; never served to a browser.
import type { Times } from "./words/times.js";

export type Severity = "info" | "warning" | "error" | "critical";
export interface Contributor { labels: Record<string, string>; of: string; amount: number; share_ratio: number }
export interface Alert {
  id: string; rule: string; severity: Severity; state: "pending" | "firing" | "resolved" | "inactive";
  service?: string; labels: Record<string, string>; value: number | null; threshold: number | null; unit?: string;
  summary: string; why?: string; started_at_ms: number; fired_at_ms: number | null; contributors: Contributor[];
  reason?: string; pending_since_ms?: number | null; for_ms?: number | null;
  runbook?: string; ack?: { actor: string; note?: string; until?: string } | null;
  silenced_by?: string[]; inhibited_by?: string[]; is_flapping?: boolean; ends_at_ms?: number | null;
}
export interface LogEntry {
  at_ms: number; what: string; actor?: string; note?: string; channel?: string; result?: string; delay_ms?: number;
}
export interface AlertInFull extends Omit<Alert, "why"> {
  why?: { text: string; resolves: string; window_ms: number } | string;
  next_notification_ms?: number | null;
  series?: { from_ms: number; step_ms: number; figure: string; values: (number | null)[]; fires_above?: number | null;
    fires_below?: number | null; clears_below?: number | null; clears_above?: number | null } | null;
  log: LogEntry[]; markers?: Marker[];
  annotations?: Record<string, string>; source_url?: string;
  similar: { started_at_ms: number; ended_at_ms: number | null; deeds?: { at_ms: number; what: string; actor: string; note: string }[] }[];
}
export interface Marker { at_ms: number; kind: string; title: string; key: string; url?: string; actor?: string }
/** rule, severity, pending, firing, end, acknowledged, id */
export type Episode = [string, Severity, number | null, number | null, number | null, number | null, string];
export interface Minute {
  requests: number; covered_ms?: number; errors: number; error_ratio: number | null; p50_ms: number | null; p95_ms: number | null;
  p99_ms: number | null; apdex: number | null; apdex_t_ms: number;
  before?: { requests: number; error_ratio: number | null; p95_ms: number | null; p99_ms: number | null; apdex: number | null; offset_ms?: number } | null;
}
export type Cell = string | number | null;
export interface Endpoints {
  columns: string[]; rows: Cell[][]; total?: number;
  spark?: { step_ms: number; requests: (number | null)[][]; errors: (number | null)[][]; p95_ms: (number | null)[][]; keys?: string[] } | null;
}
export interface Model {
  model: string; version: string; events: number; labelled_ratio: number | null; mae: number | null;
  confidence: number | null; p95_ms: number | null; error_ratio?: number | null; hist?: number[] | null;
}
export interface System {
  instance: string; scope: string; cpu_percent: number | null; memory_mb: number | null; memory_percent?: number | null;
  threads?: number | null; open_files?: number | null; disk_percent?: number | null; load_1m?: number | null;
  limits?: Record<string, number>;
}
export interface Stage { stage: string; state: string; workers: number; lag_ms: number }
export interface Pipeline {
  at_ms: number; behind_ms: number | null; dropped: number; is_accounted: boolean; config_problem?: string; added: number; committed: number;
  pending: number; unread: number; dead: number; lost: number; producers: { known: number; missing: number }; stages: Stage[];
}
export interface Silence { id: string; matchers: string[]; actor: string; comment: string; starts_at_ms: number; ends_at_ms: number | null }
export interface Threshold { figure: string; value: number; rule: string; is_above?: boolean }
export type Numbers = (number | null)[];
export interface Overview {
  service: string; at_ms: number; epoch: string; seq: number; from_ms: number; step_ms: number; points: number;
  covered_from_ms: number; closed_through_ms: number; missing: number; is_open: boolean;
  red: { requests: Numbers; errors: Numbers; e4xx: Numbers; p50_ms: Numbers; p95_ms: Numbers; p99_ms: Numbers; missing?: Numbers };
  before?: { offset_ms: number; requests: Numbers; errors: Numbers; p95_ms: Numbers } | null;
  heat: { rows_per_octave: number; row0: number; cols: (number[] | null)[] };
  minute: Minute; endpoints: Endpoints; models: Model[]; system: System[]; alerts: Alert[]; episodes: Episode[];
  markers: Marker[]; silences: Silence[]; thresholds: Threshold[]; rules?: number | null; pipeline: Pipeline;
}
export interface Point {
  t: number; requests: number | null; errors: number | null; e4xx: number | null; p50_ms: number | null;
  p95_ms: number | null; p99_ms: number | null; heat?: number[]; missing?: number; is_open?: boolean;
}
export interface Message {
  type: string; service?: string; seq?: number; epoch?: string; reason?: string; at_ms?: number; [field: string]: any;
}
/** Strips of equal points: NaN is nothing known. */
export interface Series {
  from_ms: number; step_ms: number; points: number; offset_ms: number; is_open: boolean; row0: number; through_ms: number;
  values: Record<string, Float64Array>; heat: (number[] | null)[];
}
/** What every strip draws: one column for each line, on the grid `from_ms + i * step_ms`. */
export interface Columns {
  from_ms: number; step_ms: number; is_open: boolean; now_ms: number; values: Record<string, Float64Array>; missing: Float64Array;
  tints: { from_ms: number; to_ms: number; severity: string }[]; flags: number[];
  limits: { value: number; words: string; ink?: string }[]; times: Times;
}
export interface State {
  service: string; epoch: string; seq: number; at_ms: number; closed_through_ms: number; covered_from_ms: number;
  missing: number; series: Series; minute: Minute; endpoints: Endpoints; models: Model[]; system: System[];
  alerts: Map<string, Alert>; episodes: Episode[]; markers: Marker[]; silences: Silence[]; thresholds: Threshold[];
  pipeline: Pipeline;
}
export interface VerdictState {
  service: string; now_ms: number; times: Times; refused: { code: string; detail: string } | null;
  closed_through_ms: number | null; alerts: Iterable<Alert>; markers: Marker[];
  producers: { live: number; known: number; silent_ms: number | null };
  alerters: number | null; rules: number | null; minute: Minute; quiet_ms: number | null;
}
export interface View {
  service: string; range: string; from_ms: number | null; to_ms: number | null; route: string; alert: string;
  compare: string; sort: string; view: string; theme: string; tz: string; table: boolean;
}
export interface Card {
  service: string; closed_through_ms: number; is_internal?: boolean; [figure: string]: any;
}

/** A pair of windows of an objective, which alerts while both burn faster than `burn_rate`. */
export interface SloWindows {
  severity: string; burn_rate: number; long_ms: number; short_ms: number;
  long_burn_rate: number | null; short_burn_rate: number | null; is_burning: boolean;
}

/** An objective, and what is left of its budget: 1 is all of it, below 0 more is spent. */
export interface Slo {
  name: string; service: string; labels: Record<string, string>; good: string; objective: number; period_ms: number;
  events: number; bad: number; is_exact: boolean; counted_at: number; covered_ratio: number;
  budget_left_ratio: number; burn_rate: number | null; exhausted_in_ms: number | null; burn_down: (number | null)[];
  windows: SloWindows[]; alert: { id: string; state: string; severity: string } | null;
}

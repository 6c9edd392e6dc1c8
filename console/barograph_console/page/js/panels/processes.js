// @ts-check
// Processes and hosts: CPU and memory next to the rule's threshold, the rest when asked.

import { Bar } from "../charts/spark.js";
import { Rows, attribute, byId, el, text } from "../dom/el.js";
import { MISSING, clean, count, digits, known } from "../words/format.js";

/** @typedef {import("../types").System} System @typedef {{system: System, name: string, most_mb: number}} Item */
const SHOWN = 50;
// host:pid:start of a producer that was given no name of its own.
const BY_ITSELF = /^(.+:\d+):[0-9a-f]{8,}$/;

/** Host and process alone, where no other instance has both: the start tells only restarts apart. @param {string[]} instances */
export function shortNames(instances) {
  const brief = instances.map((instance) => BY_ITSELF.exec(instance)?.[1] ?? instance);
  return new Map(instances.map((instance, i) => [instance, brief.filter((one) => one === brief[i]).length === 1 ? brief[i] ?? instance : instance]));
}

/** @param {import("../state/app.js").App} app */
export function processesPanel(app) {
  const rows = new Rows(byId("process-rows"), processRow);
  return (/** @type {Set<string>} */ changed) => {
    const { state } = app;
    if (!state || !["figures", "overview"].some((part) => changed.has(part))) return;
    const most_mb = Math.max(1, ...state.system.map((one) => Math.max(one.memory_mb ?? 0, (one.limits?.["memory_mb"] ?? 0) * 1.15)));
    const shown = [...state.system].sort((a, b) => (a.scope === b.scope ? a.instance.localeCompare(b.instance, "en", { numeric: true }) : a.scope === "host" ? 1 : -1)).slice(0, SHOWN);
    const names = shortNames([...new Set(state.system.map((one) => one.instance))]);
    rows.show(shown.map((system) => ({ system, name: names.get(system.instance) ?? system.instance, most_mb })), ({ system }) => `${system.scope} ${system.instance}`);
    byId("processes-none").hidden = shown.length > 0;
    /** @type {HTMLElement} */ (byId("process-rows").closest("table")).hidden = shown.length === 0;
  };
}

/** @param {Item} first @returns {import("../dom/el.js").Row<Item>} */
function processRow(first) {
  const { instance, scope } = first.system;
  const [cpu, memory] = [new Bar(), new Bar()];
  const [cpuWords, memoryWords, rest] = [el("span", { class: "number" }), el("span", { class: "number" }), el("p", { class: "rest", hidden: true })];
  const called = el("bdi");
  const button = el("button", { class: "plain", title: clean(instance, 300), "aria-expanded": "false", onclick: () => {
    rest.hidden = !rest.hidden;
    attribute(button, "aria-expanded", String(!rest.hidden));
  } }, called, scope === "host" && el("span", { class: "meta" }, " host"));
  const node = el("tr", null, el("th", { scope: "row" }, button, rest), el("td", null, cpu.node, cpuWords), el("td", null, memory.node, memoryWords));
  return { node, update: ({ system, name, most_mb }) => {
    text(called, clean(name, 60));
    const limits = system.limits ?? {};
    const isHost = system.scope === "host";
    cpu.set((system.cpu_percent ?? 0) / 100, percentOf(limits["cpu_percent"]));
    text(cpuWords, known(system.cpu_percent) ? `${Math.round(system.cpu_percent)} %` : MISSING);
    const isShare = isHost && known(system.memory_percent);
    memory.set(isShare ? Number(system.memory_percent) / 100 : (system.memory_mb ?? 0) / most_mb, isShare ? percentOf(limits["memory_percent"]) : known(limits["memory_mb"]) ? limits["memory_mb"] / most_mb : null);
    text(memoryWords, isShare ? `${Math.round(Number(system.memory_percent))} %` : known(system.memory_mb) ? `${count(system.memory_mb)} MB` : MISSING);
    text(rest, details(system));
  } };
}

/** @param {number | undefined} percent */
const percentOf = (percent) => (known(percent) ? percent / 100 : null);

/** @param {System} system */
const details = (system) =>
  [known(system.threads) && `${digits(system.threads)} threads`, known(system.open_files) && `${digits(system.open_files)} files`,
    known(system.disk_percent) && `disk ${Math.round(system.disk_percent)} %`, known(system.load_1m) && `load ${digits(system.load_1m)}`].filter(Boolean).join(", ") || "nothing more is known";

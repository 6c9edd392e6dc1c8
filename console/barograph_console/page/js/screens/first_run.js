// @ts-check
// Before the first event: what to do, and how far it has come.

import { byId, el, text } from "../dom/el.js";
import { get } from "../link/api.js";

const EMBED = "producer = Producer(service=\"my-api\")\napp.add_middleware(BarographMiddleware, producer=producer)";
const STAGES = /** @type {[string, string][]} */ ([["aggregator", "An aggregator runs"], ["alerter", "An alerter runs"], ["notifier", "A notifier runs"]]);

/** @param {import("../state/app.js").App} app */
export function firstRunPanel(app) {
  const place = byId("first-run");
  let asked_ms = 0;
  const lines = STAGES.map(([stage, label]) => ({ stage, label, node: el("li", null, `○ ${label}`) }));
  const events = el("li", null, "○ The first event arrives");
  /** @param {string} code @param {string} name */
  const code = (code, name) => el("pre", { tabindex: "0", role: "region", "aria-label": name }, el("code", null, code));
  const curl = `curl ${location.origin}/api/v1/ingest --json '{"kind": "request", "service": "my-api", "route": "/hello", "method": "GET", "status": 200, "duration_ms": 12}'`;
  place.append(el("h2", null, "Waiting for the first event"), el("p", null, "This page opens by itself when it arrives. Two lines in your API, both names from barograph_producer:"), code(EMBED, "The lines to embed"),
    el("p", null, "Or watch a small API that is part of barograph, with an incident in it:"), code("barograph demo", "The command of the demo"),
    el("p", null, "Or send one from any other language:"), code(curl, "An event by curl"), el("ul", { class: "checklist" }, ...lines.map(({ node }) => node), events));

  async function check() {
    const pipeline = await get("/pipeline/summary").catch(() => null);
    for (const { stage, label, node } of lines) {
      const found = pipeline?.stages?.find((/** @type {{stage: string}} */ one) => one.stage === stage);
      text(node, `${found?.state === "ok" || found?.workers > 0 ? "● " : "○ "}${label}`);
      node.className = found?.state === "ok" || found?.workers > 0 ? "ok" : "";
    }
  }

  return () => {
    if (app.screen !== "first_run" || Date.now() - asked_ms < 2_000) return;
    asked_ms = Date.now();
    void check();
  };
}

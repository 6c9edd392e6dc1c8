// @ts-check
// The verdict over everything, in the page, in the tab's title and in its icon.

import { byId, el, text } from "../dom/el.js";
import { mark } from "../dom/marks.js";
import { standing } from "../words/alerts.js";
import { verdict } from "../words/verdict.js";
import { verdictState } from "../state/stages.js";

/** @typedef {import("../state/app.js").App} App */

const LONG = 140;

/** @param {App} app */
export function verdictPanel(app) {
  const [place, announced] = [byId("verdict"), byId("announced")];
  const [lead, rest] = [el("strong"), el("span")];
  place.replaceChildren(el("span", { class: "sign" }), el("p", null, lead, rest));
  let [shape, said] = ["", ""];
  const started_ms = Date.now();

  return () => {
    const now = sentence(app, Date.now() - started_ms);
    place.hidden = app.screen === "first_run";
    text(lead, now.lead);
    text(rest, now.rest);
    if (now.severity !== shape) {
      shape = now.severity;
      place.className = `verdict ${shape}`;
      place.firstElementChild?.replaceChildren(mark(shape === "unknown" ? "info" : shape, shape === "unknown" ? "not known" : undefined));
      const icon = /** @type {HTMLLinkElement} */ (byId("icon"));
      icon.href = `/static/mark-${shape}.svg`;
    }
    // A long sentence keeps to one line of a wide page.
    place.classList.toggle("long", now.text.length > LONG);
    // Said aloud when something else is the matter, and not when a figure moves.
    const matter = now.severity + (app.screen === "service" ? app.ordered.slice(0, 50).map((one) => one.id + standing(one)).join() : "") + app.screen;
    if (matter !== said) {
      said = matter;
      text(announced, now.text);
    }
    const firing = app.ordered.filter((one) => standing(one) === "firing").length;
    const title = `${firing && app.screen === "service" ? `(${firing}) ` : ""}${app.screen === "service" ? `${app.view.service} · ` : ""}barograph`;
    if (document.title !== title) document.title = title;
  };
}

/** @param {App} app @param {number} age_ms */
function sentence(app, age_ms) {
  if (app.problem && (!app.state || app.state.service !== app.view.service)) {
    const lead = app.problem.status === 404 ? `There is no service ${app.view.service}.` : `The console cannot say: ${app.problem.detail}.`;
    return { severity: "unknown", lead, rest: "", text: lead };
  }
  if (app.screen === "services") return app.verdict_of_all ?? { severity: "unknown", lead: "\u00a0", rest: "", text: "" };
  if (app.is_signed_out && !app.state) return { severity: "unknown", lead: "Signed out.", rest: " Sign in to see the figures.", text: "Signed out." };
  // Nothing to see for the first second: an answer mostly comes before it.
  if (app.screen === "" && age_ms < 1_000 && !app.refused) return { severity: "unknown", lead: "\u00a0", rest: "", text: "" };
  return verdict(verdictState(app));
}

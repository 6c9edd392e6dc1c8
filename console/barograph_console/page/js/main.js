// @ts-check
// The page begins here: one state, and the panels that draw it.

import { chosen, hideChosen } from "./controls/chosen.js";
import { headerPanel } from "./controls/header.js";
import { keys } from "./controls/keys.js";
import { keepAwake } from "./controls/wall.js";
import { later } from "./dialogs/loading.js";
import { byId, el, text } from "./dom/el.js";
import { toast } from "./dom/toast.js";
import { alertsPanel } from "./panels/alerts.js";
import { endpointsPanel } from "./panels/endpoints.js";
import { kpiPanel } from "./panels/kpis.js";
import { stripsPanel } from "./panels/strips.js";
import { verdictPanel } from "./panels/verdict.js";
import { App } from "./state/app.js";
import { clean } from "./words/format.js";

const app = new App();

const strips = stripsPanel(app, {
  chosen: (from_ms, to_ms, x) => chosen(app, from_ms, to_ms, x),
  back: () => (app.is_fixed ? history.back() : hideChosen()),
});

/** One line over the strips when a question failed, or there is nothing to draw. */
function notice() {
  const place = byId("notice");
  const { state, problem } = app;
  const end = state ? state.series.from_ms + state.series.points * state.series.step_ms : 0;
  const isBefore = state !== null && end <= state.covered_from_ms;
  place.hidden = !isBefore && !(problem && state);
  if (place.hidden) return;
  const words = isBefore ? `Nothing is kept before ${app.times.near(state.covered_from_ms, app.now())}.` : `Could not be read (${clean(problem?.detail)}), trying again.`;
  if (place.dataset["words"] === words) return;
  place.dataset["words"] = words;
  const earliest = () => app.change({ from_ms: Number(state?.covered_from_ms), to_ms: Number(state?.covered_from_ms) + end - Number(state?.series.from_ms) });
  place.replaceChildren(el("span", null, words), el("button", { onclick: isBefore ? earliest : () => void app.load() }, isBefore ? "Go there" : "Retry"));
}

app.panel(headerPanel(app));
app.panel(verdictPanel(app));
app.panel(kpiPanel(app));
app.panel(strips.redraw);
app.panel(alertsPanel(app, (id) => app.change({ alert: id })));
app.panel(endpointsPanel(app));
app.panel(notice);
/** What is not on the first screen, as soon as that stands; or at once where it is all there is to see. */
let isAsked = false;
app.panel(() => {
  if (isAsked || !(app.state || app.is_signed_out || app.screen)) return;
  isAsked = true;
  later().then(
    ({ panels }) => {
      for (const panel of panels(app)) app.panel(panel);
      app.touch("view", "overview", "figures", "cards", "alerts", "log");
    },
    () => (isAsked = false),
  );
});
keys(app, strips.cursor);
keepAwake(app);
if (app.problems.length) toast(`${app.problems.join("; ")}. The default is shown.`);
if (!document.createElement("canvas").getContext("2d")) {
  text(byId("canvas-words"), "The browser refuses to draw: the table has the same figures.");
  app.change({ table: true });
}
void app.load();
app.touch("view");

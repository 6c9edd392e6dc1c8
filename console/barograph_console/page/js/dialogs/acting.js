// @ts-check
// What a person does to an alert: shown at once, and taken back with words when the console refuses.

import { ask } from "../dom/dialog.js";
import { toast } from "../dom/toast.js";
import { newKey, post } from "../link/api.js";
import { title } from "../words/alerts.js";
import { clean } from "../words/format.js";
import { nameOf } from "./naming.js";

const AGAIN_MS = 1_000;

/** @typedef {import("../state/app.js").App} App @typedef {import("../types").Alert} Alert */
/** @typedef {import("../link/api.js").Problem} Problem */

/** Take an alert on. @param {App} app @param {Alert} alert @param {{until?: string, note?: string}} [said] */
export async function acknowledge(app, alert, { until = "resolved", note = "" } = {}) {
  if (alert.state !== "firing" || alert.ack) return;
  const actor = await nameOf(app);
  if (!actor) return;
  await change(app, alert, {
    action: "ack",
    body: { until, note, ...actor },
    believed: { ...alert, ack: { actor: actor.actor ?? app.session.name, note } },
    done: `You look after ${clean(alert.rule, 60)}.`,
    failed: "Not acknowledged",
    undo: () => void takeBack(app, alert.id),
  });
}

/** Take an acknowledgement back. @param {App} app @param {string} id */
export async function takeBack(app, id) {
  const alert = app.state?.alerts.get(id);
  const actor = await nameOf(app);
  if (!alert?.ack || !actor) return;
  await change(app, alert, { action: "unack", body: actor, believed: { ...alert, ack: null }, done: `Nobody looks after ${clean(alert.rule, 60)} now.`, failed: "Not taken back" });
}

/** End an alert by hand, after one question. @param {App} app @param {Alert} alert */
export async function resolve(app, alert) {
  if (!(await ask(`Resolve “${title(alert)}”? It stays quiet until the condition has been clear once.`, "Resolve"))) return;
  const actor = await nameOf(app);
  if (!actor) return;
  const isDone = await change(app, alert, { action: "resolve", body: actor, believed: null, done: `${clean(alert.rule, 60)} is resolved.`, failed: "Not resolved" });
  if (isDone) app.change({ alert: "" });
}

/** Do what was last offered to be undone. @param {App} app */
export function undo(app) {
  const last = app.undo;
  app.undo = null;
  last?.();
}

/** @typedef {{action: string, body: object, believed: Alert | null, done: string, failed: string, undo?: () => void}} Change */

/** Show the alert as it will be, ask for it, and show what it is in truth. @param {App} app @param {Alert} alert @param {Change} change */
async function change(app, alert, { action, body, believed, done, failed, undo: takesBack }) {
  show(app, alert.id, believed);
  app.undo = takesBack ?? null;
  try {
    const answer = await retried((key) => post(`/alerts/${alert.id}/${action}`, body, key));
    // A message of the socket may have come meanwhile, and knows no less.
    if (app.state?.alerts.get(alert.id) === believed && answer.alert) show(app, alert.id, answer.alert);
    toast(done, takesBack && { words: "Undo", act: () => undo(app) });
    return true;
  } catch (error) {
    const problem = /** @type {Problem} */ (error);
    if ((app.state?.alerts.get(alert.id) ?? null) === believed) show(app, alert.id, alert);
    app.undo = null;
    refused(app, problem, failed);
    return false;
  }
}

/** Say why something was not done; where the session is over, ask to sign in. @param {App} app @param {Problem} problem @param {string} failed */
export function refused(app, problem, failed) {
  if (problem.status === 401) {
    app.is_signed_out = true;
    app.touch("view", "link");
    return;
  }
  toast(problem.status === 403 ? "This needs the admin role." : `${failed}: ${clean(problem.message)}.`);
}

/** Ask again, once, when nothing came back: the key lets the console do it once. @param {(key: string) => Promise<any>} ask @returns {Promise<any>} */
export async function retried(ask) {
  const key = newKey();
  try {
    return await ask(key);
  } catch (error) {
    if (/** @type {Problem} */ (error).status !== 0) throw error;
    await new Promise((done) => setTimeout(done, AGAIN_MS));
    return ask(key);
  }
}

/** @param {App} app @param {string} id @param {Alert | null} alert */
export function show(app, id, alert) {
  if (!app.state) return;
  if (alert) app.state.alerts.set(id, alert);
  else app.state.alerts.delete(id);
  app.forgetOrder();
  app.touch("alerts", "figures", "acted");
}

// @ts-check
// What is fetched after the first screen.

import { modelsPanel } from "../panels/models.js";
import { pipelinePanel } from "../panels/pipeline.js";
import { processesPanel } from "../panels/processes.js";
import { slosPanel } from "../panels/slos.js";
import { tablePanel } from "../panels/table.js";
import { timelinePanel } from "../panels/timeline.js";
import { firstRunPanel } from "../screens/first_run.js";
import { servicesPanel } from "../screens/services.js";
import { acknowledge, resolve, takeBack, undo } from "./acting.js";
import { channels } from "./channels.js";
import { drawer, refreshDrawer } from "./drawer.js";
import { help } from "./help.js";
import { signIn } from "./sign_in.js";
import { end, silence } from "./silencing.js";
import { whatIsIn } from "./within.js";

/** Panels below the first screen, other screens, and dialogs that the URL or the state asks for.
 * @param {import("../state/app.js").App} app */
const panels = (app) => [
  slosPanel(app), timelinePanel(app), pipelinePanel(app, () => channels(app)), modelsPanel(app), processesPanel(app), tablePanel(app), servicesPanel(app), firstRunPanel(app),
  () => drawer(app), () => refreshDrawer(app), () => signIn(app),
];

export const dialogs = { acknowledge, takeBack, resolve, undo, silence, end, help, whatIsIn, panels };

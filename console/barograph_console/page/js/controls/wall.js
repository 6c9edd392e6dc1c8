// @ts-check
// A screen on the wall stays awake, where the browser allows it.

/** @param {import("../state/app.js").App} app */
export function keepAwake(app) {
  const hold = () => {
    // Refused on battery, or while hidden: then the screen may sleep, and nothing else is lost.
    if (app.view.view === "wall" && !document.hidden) navigator.wakeLock?.request("screen").catch(() => undefined);
  };
  document.addEventListener("visibilitychange", hold);
  hold();
}

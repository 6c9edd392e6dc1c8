// @ts-check
// Panels below the first screen and dialogs are fetched once it stands, before anyone asks for them.

/** @type {Promise<typeof import("./later.js")["dialogs"]> | null} */
let loaded = null;

export const later = () => (loaded ??= load());

async function load() {
  try {
    return (await import("./later.js")).dialogs;
  } catch (error) {
    loaded = null;
    throw error;
  }
}

// @ts-check
// Whether single keys do something: people who dictate or bump keys switch them off (WCAG 2.1.4).

const NAME = "barograph.keys";

export const keysAreOn = () => localStorage.getItem(NAME) !== "off";

/** @param {boolean} isOn */
export const switchKeys = (isOn) => localStorage.setItem(NAME, isOn ? "on" : "off");

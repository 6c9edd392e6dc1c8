// @ts-check
// How a figure compares with the same minute before, in words.

import { digits, known } from "./format.js";

/** @param {number} ms */
export const beforeWords = (ms) => (ms >= 604_800_000 ? "a week before" : ms >= 86_400_000 ? "a day before" : "an hour before");

/** @param {number | null | undefined} now @param {number | null | undefined} before
 * @param {{ago: string, worse: "more" | "less", much?: number}} how `much`: the factor from which worse is amber.
 * @returns {{words: string, isWorse: boolean}} No words when there is nothing to compare with. */
export function change(now, before, { ago, worse, much = 1.5 }) {
  if (!known(now) || !known(before)) return { words: "", isWorse: false };
  if (before === 0) return now === 0 ? { words: `as ${ago}`, isWorse: false } : { words: `none ${ago}`, isWorse: worse === "more" };
  const ratio = now / before;
  const isWorse = worse === "more" ? ratio >= much : ratio <= 1 / much;
  return { words: compared(ratio, ago), isWorse };
}

/** @param {number} ratio @param {string} ago */
function compared(ratio, ago) {
  if (Math.abs(ratio - 1) <= 0.05) return `as ${ago}`;
  if (ratio >= 2) return `${ratio >= 10 ? Math.round(ratio) : digits(Number(ratio.toFixed(1)))}× ${ago}`;
  return `${ratio > 1 ? "+" : "−"}${Math.round(Math.abs(ratio - 1) * 100)} % on ${ago}`;
}

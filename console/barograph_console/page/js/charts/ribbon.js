// @ts-check
// Alerts and releases over the time axis of the strips: a lane for each alert, flags above.

import { clean } from "../words/format.js";
import { Paper, ink, stroke } from "./paper.js";

/** @typedef {import("../types").Episode} Episode @typedef {CanvasRenderingContext2D} Pen */
const LANES = 4;
const LANE = 13;
const TOP = 20;

/** @param {Episode | undefined} episode */
const begun = (episode) => episode?.[2] ?? episode?.[3] ?? 0;

export class Ribbon {
  /** @param {HTMLCanvasElement} canvas @param {import("./axis.js").TimeAxis} axis */
  constructor(canvas, axis) {
    this.paper = new Paper(canvas);
    this.axis = axis;
  }

  /** Lanes of episodes: an alert stays in one, and shares it with another that is over. @param {Episode[]} episodes */
  lanes(episodes) {
    const { from_ms, to_ms } = this.axis;
    /** @type {Map<string, Episode[]>} */
    const alerts = new Map();
    for (const episode of episodes) {
      if (begun(episode) <= to_ms && (episode[4] ?? Infinity) >= from_ms) alerts.set(episode[6], [...(alerts.get(episode[6]) ?? []), episode]);
    }
    /** @type {Episode[][]} */
    const lanes = [];
    for (const alert of [...alerts.values()].sort((a, b) => begun(a[0]) - begun(b[0]))) {
      // Room for its name.
      const free = lanes.find((lane) => lane.every((other) => (other[4] ?? Infinity) + (to_ms - from_ms) / 6 < begun(alert[0])));
      if (free) free.push(...alert);
      else lanes.push([...alert]);
    }
    return lanes;
  }

  /** The height it wants, in CSS pixels. @param {Episode[]} episodes */
  height(episodes) {
    return TOP + Math.min(LANES, this.lanes(episodes).length) * LANE + 8;
  }

  /** @param {{episodes: Episode[], markers: {at_ms: number, title: string}[], now_ms: number, silenced: Set<string>}} columns */
  set({ episodes, markers, now_ms, silenced }) {
    const pen = this.paper.begin();
    if (!pen) return;
    this.#flags(pen, markers);
    const lanes = this.lanes(episodes);
    const shown = lanes.slice(0, lanes.length > LANES ? LANES - 1 : LANES);
    shown.forEach((lane, i) => this.#lane(pen, lane, TOP + i * LANE + LANE / 2, now_ms, silenced));
    pen.textAlign = "right";
    if (shown.length < lanes.length) pen.fillText(`+${lanes.length - shown.length}`, this.axis.end, TOP + shown.length * LANE + LANE / 2);
  }

  /** @param {Pen} pen @param {{at_ms: number, title: string}[]} markers */
  #flags(pen, markers) {
    let free = 0;
    pen.fillStyle = ink("accent");
    pen.textAlign = "left";
    for (const { at_ms, title } of markers) {
      const x = this.paper.crisp(this.axis.x(at_ms));
      if (x < this.axis.gutter || x > this.axis.width) continue;
      pen.fillRect(x - 0.5, 3, 1.2, TOP - 3);
      pen.fill(new Path2D(`M${x} 3l7.5 4l-7.5 4z`));
      const label = clean(title, 40);
      const width = pen.measureText(label).width;
      const left = x + 12 + width > this.axis.width ? x - width - 5 : x + 11;
      if (left < free) continue;
      pen.fillText(label, left, 8);
      free = Math.max(x + 10, left + width) + 10;
    }
  }

  /** @param {Pen} pen @param {Episode[]} lane @param {number} y @param {number} now_ms @param {Set<string>} silenced */
  #lane(pen, lane, y, now_ms, silenced) {
    const { axis, paper } = this;
    let free = 4;
    for (const [rule, severity, pending_ms, firing_ms, end_ms, acked_ms, id] of lane) {
      const end = axis.inside(end_ms ?? now_ms);
      const firing = firing_ms === null ? end : axis.inside(firing_ms);
      const begin = Math.min(axis.inside(pending_ms ?? firing_ms ?? now_ms), firing - 3);
      stroke(pen, `mark-${severity}`, 1.5, [3, 2], () => {
        pen.moveTo(begin, y);
        pen.lineTo(firing, y);
      });
      if (firing_ms !== null) {
        const acked = acked_ms === null ? end : Math.min(end, axis.inside(acked_ms));
        // Silenced is hatched by bars of half the pitch.
        const [pitch, bar] = silenced.has(id) ? [5, 2.5] : [Infinity, Math.max(2, acked - firing)];
        pen.fillStyle = ink(`mark-${severity}`);
        for (let x = firing; x < Math.max(acked, firing + 1); x += pitch) pen.fillRect(x, y - 4, bar, 8);
        pen.globalAlpha = 0.45;
        pen.fillRect(acked, y - 4, end - acked, 8);
        pen.globalAlpha = 1;
      }
      const label = clean(rule, 40);
      const width = pen.measureText(label).width;
      pen.fillStyle = ink("ink-2");
      pen.textAlign = "left";
      if (begin - 4 - width > free) pen.fillText(label, begin - 4 - width, y);
      else if (end + 5 + width < paper.width && lane.length === 1) pen.fillText(label, end + 5, y);
      free = end + 8;
    }
  }
}

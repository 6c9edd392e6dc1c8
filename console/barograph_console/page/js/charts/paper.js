// @ts-check
// A canvas that is sharp at any pixel ratio, and the inks of the theme.

export class Paper {
  width = 0;
  height = 0;
  ratio = 1;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.measure();
  }

  /** Read the size; only a change of layout asks for it, since it makes the browser lay the page out. */
  measure() {
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
  }

  /** @returns {CanvasRenderingContext2D | null} An empty sheet in units of CSS pixels; none where the browser refuses. */
  begin() {
    this.ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.width * this.ratio), Math.round(this.height * this.ratio)];
    const { canvas, pen } = this;
    if (!pen || !width || !height) return null;
    if (canvas.width !== width || canvas.height !== height) {
      // A new size also forgets scale and font.
      Object.assign(canvas, { width, height });
      pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      pen.font = ink("font");
      pen.textBaseline = "middle";
    } else pen.clearRect(0, 0, this.width, this.height);
    return pen;
  }

  /** The middle of the device pixel at `at`, so that a hairline is one pixel. @param {number} at */
  crisp(at) {
    return (Math.floor(at * this.ratio) + 0.5) / this.ratio;
  }
}

/** One path in one ink. @param {CanvasRenderingContext2D} pen @param {string} name @param {number} width @param {number[]} dash @param {() => void} path */
export function stroke(pen, name, width, dash, path) {
  pen.strokeStyle = ink(name);
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  path();
  pen.stroke();
}

/** @type {Map<string, string>} */
const known = new Map();

/** A colour of the present theme as the browser resolves it, or the font. @param {string} name */
export function ink(name) {
  const found = known.get(name);
  if (found !== undefined) return found;
  const probe = document.body.appendChild(document.createElement("i"));
  // Else forced colours would make one of all.
  probe.style.setProperty("forced-color-adjust", "none");
  probe.style.color = `var(--${name})`;
  const { color, fontFamily } = getComputedStyle(probe);
  known.set(name, name === "font" ? `12px ${fontFamily}` : color);
  probe.remove();
  return ink(name);
}

export const forgetInks = () => known.clear();

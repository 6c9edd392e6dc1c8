// @ts-check
// Elements made by hand: text enters the page as text nodes only, and what did not change is not touched.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, unknown>} Props Attributes; `on…` are listeners, true is the bare attribute, false none. */

/** @template {keyof HTMLElementTagNameMap} T @param {T} tag @param {Props | null} [props] @param {Child[]} children
 * @returns {HTMLElementTagNameMap[T]} */
export function el(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** @param {string} tag @param {Props | null} [props] @param {Child[]} children @returns {SVGElement} */
export function svg(tag, props, ...children) {
  return fill(/** @type {SVGElement} */ (document.createElementNS(SVG, tag)), props, children);
}

/** @template {Element} E @param {E} node @param {Props | null | undefined} props @param {Child[]} children @returns {E} */
function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else attribute(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

/** @param {Element} node @param {string} name @param {unknown} value */
export function attribute(node, name, value) {
  if (value === false || value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== (value === true ? "" : String(value))) node.setAttribute(name, value === true ? "" : String(value));
}

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
export const byId = (id) => /** @type {T} */ (document.getElementById(id));

/** Set the text of `node` by its one text node. @param {Node} node @param {string} value */
export function text(node, value) {
  const first = node.firstChild;
  if (first instanceof Text && first === node.lastChild) {
    if (first.data !== value) first.data = value;
  } else node.textContent = value;
}

/** @param {Node} node The digits are its first text, the unit is in a <small> after it. @param {[string, string]} figure */
export function figure(node, [value, unit]) {
  if (!(node.lastChild instanceof HTMLElement)) /** @type {HTMLElement} */ (node).replaceChildren("", el("small"));
  const first = /** @type {Text} */ (node.firstChild);
  if (first.data !== value) first.data = value;
  // The space is text too: "231 ms" is read and copied as two words.
  text(/** @type {Node} */ (node.lastChild), unit && unit !== "/min" ? `\u00a0${unit}` : unit);
}

/** Set a size or position that only the style can carry; the policy forbids `style` in HTML, not the object model.
 * @param {HTMLElement | SVGElement} node @param {string} name @param {string} value */
export function style(node, name, value) {
  if (node.style.getPropertyValue(name) !== value) node.style.setProperty(name, value);
}

/** @template Item @typedef {{node: HTMLElement, update(item: Item): void}} Row */

/** Rows that stay what they are while their items come, go and move.
 * @template Item */
export class Rows {
  /** @type {Map<string, Row<Item>>} */
  #rows = new Map();

  /** @param {HTMLElement} parent @param {(item: Item) => Row<Item>} make */
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
  }

  /** @param {Item[]} items @param {(item: Item) => string} keyOf */
  show(items, keyOf) {
    const gone = new Set(this.#rows.keys());
    let at = this.parent.firstChild;
    for (const item of items) {
      const key = keyOf(item);
      let row = this.#rows.get(key);
      if (!row) this.#rows.set(key, (row = this.make(item)));
      gone.delete(key);
      row.update(item);
      if (row.node === at) at = at.nextSibling;
      else this.parent.insertBefore(row.node, at);
    }
    for (const key of gone) {
      this.#rows.get(key)?.node.remove();
      this.#rows.delete(key);
    }
  }
}

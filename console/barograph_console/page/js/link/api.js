// @ts-check
// Questions to the console over HTTP. Every failure is a Problem with words for people.

const BASE = "/api/v1";
const TIMEOUT_MS = 30_000;

export class Problem extends Error {
  /** @param {number} status 0 when nothing came back. @param {string} code @param {string} detail */
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** @param {Response} response */
async function problemOf(response) {
  /** @type {any} */
  const body = await response.json().catch(() => null);
  return new Problem(response.status, String(body?.code ?? "http_error"), String(body?.detail ?? body?.title ?? `status ${response.status}`));
}

/** @param {string} path @param {RequestInit} init */
async function send(path, init) {
  let response;
  try {
    response = await fetch(BASE + path, { ...init, credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const isLate = error instanceof DOMException && error.name === "TimeoutError";
    throw new Problem(0, isLate ? "timeout" : "unreachable", isLate ? "timeout" : "the console does not answer");
  }
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json();
}

/** @param {string} path @param {Record<string, string | number | null | undefined>} [asked] Empty ones are left out. @returns {Promise<any>} */
export function get(path, asked = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  return send(search.size ? `${path}?${search}` : path, { headers: { Accept: "application/json" } });
}

export const newKey = () => crypto.randomUUID?.() ?? String(Math.random());

/** @param {string} path @param {unknown} body @param {string} [key] The same for each attempt. @returns {Promise<any>} */
export const post = (path, body, key = newKey()) => change("POST", path, key, JSON.stringify(body));

/** @param {string} path @param {Record<string, string>} asked @param {string} key @returns {Promise<any>} */
export const remove = (path, asked, key) => change("DELETE", `${path}?${new URLSearchParams(asked)}`, key);

/** @param {string} method @param {string} path @param {string} key @param {string} [body] @returns {Promise<any>} */
function change(method, path, key, body) {
  // The header shows that a page of ours asks: a form of another site cannot set it.
  const headers = { Accept: "application/json", "Content-Type": "application/json", "X-Barograph": "1", "Idempotency-Key": key };
  return send(path, { method, headers, body });
}

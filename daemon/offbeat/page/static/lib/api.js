// The daemon's native API: documents in, documents out; a refusal is an ApiError with the daemon's own words.

const ROOT = "api/v1";

export class ApiError extends Error {
  /** *status* 0: nobody answered. */
  constructor(status, { code = "", message = "", hint = "", where = {} } = {}) {
    super(message || `the daemon answered with status ${status}`);
    Object.assign(this, { status, code, hint, where });
  }
}

/** The address of *path* with *parameters*; a list gives one of each, null and undefined none. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") query.append(name, String(one));
    }
  }
  const text = query.toString();
  return `${ROOT}${path}${text ? `?${text}` : ""}`;
}

/** The document at *path*. Rejects with ApiError, or with AbortError once *signal* is aborted. */
export function get(path, parameters = {}, signal = undefined) {
  return call("GET", address(path, parameters), undefined, signal);
}

/** Send *document* (none: no body) to *path*; the answer, null if it has no body. */
export function send(method, path, document = undefined, signal = undefined) {
  return call(method, address(path), document, signal);
}

async function call(method, url, document, signal) {
  let response;
  try {
    response = await fetch(url, {
      method, signal,
      // A form of another site can send no such header: by it the daemon knows that a change is asked for here.
      headers: { ...(method === "GET" ? {} : { "X-Offbeat": "1" }), ...(document === undefined ? {} : { "Content-Type": "application/json" }) },
      body: document === undefined ? undefined : JSON.stringify(document),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "not_reachable", message: "the daemon does not answer", hint: "is it running?" });
  }
  const text = await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, { message: "the answer is not JSON: a proxy may stand between" });
  }
  if (response.status === 401 && !url.endsWith("/session")) window.dispatchEvent(new Event("offbeat-unauthorized"));
  if (!response.ok) throw new ApiError(response.status, body?.error ?? {});
  return body;
}

/** All rows of a list, page by page, at most *most* of them. */
export async function all(path, name, parameters = {}, signal = undefined, most = 10_000) {
  const rows = [];
  let cursor;
  do {
    const page = await get(path, { ...parameters, cursor }, signal);
    rows.push(...page[name]);
    cursor = page.next_cursor;
  } while (cursor && rows.length < most);
  return rows.slice(0, most);
}

/** A part of a path: a name with a slash in it stays one part. */
export function part(name) {
  return encodeURIComponent(name);
}

// Where the page is: everything that a view shows is in its address, so that it can be shared and gone back to.
// #/sources/pump-3?start=…&end=…

/** The address of a view: link("sources", ["pump-3"], {start}) */
export function link(view, names = [], query = {}) {
  const path = [view, ...names].filter((one) => one !== "").map(encodeURIComponent).join("/");
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** What the address says now: {view, names, query}. An address that cannot be read is that of the overview. */
export function here() {
  const [path, text = ""] = location.hash.replace(/^#\/?/, "").split("?");
  let parts = [];
  try {
    parts = path.split("/").filter((one) => one !== "").map(decodeURIComponent);
  } catch { /* a % that means nothing */ }
  return { view: parts[0] ?? "", names: parts.slice(1), query: new URLSearchParams(text) };
}

/** The query as it is, with *changes*: null takes one away. As an object for link. */
export function changed(query, changes) {
  const now = { ...Object.fromEntries(query), ...changes };
  return Object.fromEntries(Object.entries(now).filter(([, value]) => value !== null && value !== ""));
}

// Elements made of data. Text goes in as text: nothing that a sensor sends is ever read as HTML.

/** An element: h("a.button", {href, onclick, dataset: {…}, "aria-label": …}, ...children). Children: nodes, texts, lists, null. */
export function h(selector, attributes = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) node.style.setProperty(key, one);
    else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false)
    .map((one) => (one instanceof Node ? one : legible(one)));
}

/** *text* with the letters that would turn the direction of what follows, unseen, as their numbers. */
export function legible(text) {
  return String(text).replace(/[\u202a-\u202e\u2066-\u2069]/g, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase()}⟩`);
}

/** *node* with nothing but *children* in it. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/**
 * Fill *node* anew and leave the reader where they were: at the same control, or the one that now stands for it, and
 * where they had scrolled tables to.
 */
export function refill(node, ...children) {
  const was = node.contains(document.activeElement) ? document.activeElement : null;
  const sign = was && signature(was);
  const scrolled = [...node.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  fill(node, ...children.map((one) => (typeof one === "function" ? one() : one)));
  node.querySelectorAll(".scroll").forEach((one, at) => {
    if (scrolled[at]) [one.scrollLeft, one.scrollTop] = scrolled[at];
  });
  if (!was) return;
  const now = node.contains(was) ? was : [...node.querySelectorAll(was.tagName)].find((one) => signature(one) === sign);
  now?.focus({ preventScroll: true });
}

function signature(node) {
  return JSON.stringify([{ ...node.dataset }, ...["href", "aria-label", "name"].map((name) => node.getAttribute(name)), node.matches("input, select") ? "" : node.textContent]);
}

/** A link to a view of the page. Only addresses made by route.link come here: a sensor's text is never an address. */
export function a(href, ...children) {
  return h("a", { href }, ...children);
}

/** Say *text* to who listens instead of looking. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

let last = 0;
/** An id that no other element has. */
export function fresh(prefix = "e") {
  last += 1;
  return `${prefix}-${last}`;
}

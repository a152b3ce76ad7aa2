// Pieces that several views are made of: what is shown while waiting, when it fails, when there is nothing; choosers.

import { all } from "./api.js";
import { announce, fill, fresh, h, refill } from "./dom.js";
import { DAY, HOUR, fromWall, iso, ms, stamp, wall } from "./time.js";
import { zone } from "./prefs.js";

/** The head of a view: its title, a sentence, what can be done. */
export function heading(title, about = null, ...actions) {
  return h("div.heading", {}, h("div", {}, h("h1", {}, title), about && h("p.about", {}, about)),
    actions.length ? h("div.actions", {}, actions) : null);
}

/** A part of a view with a heading of its own. */
export function section(title, ...children) {
  const id = fresh("h");
  return h("section.card", { "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** While an answer is awaited. */
export function waiting(text = "Loading") {
  return h("p.waiting", { role: "status" }, `${text} …`);
}

/** What went wrong, in the daemon's words, and a way to try again. */
export function failed(error, again = null) {
  return h("div.note.bad", { role: "alert" }, h("p", {}, h("strong", {}, sentence(error.message))),
    error.hint ? h("p", {}, sentence(error.hint)) : null,
    again && h("button", { type: "button", onclick: again }, "Try again"));
}

/** There is nothing, and what to do about it. */
export function nothing(text, ...more) {
  return h("div.note.empty", {}, h("p", {}, text), more);
}

/** *text* with a capital, unless it begins with the name of a member, and a full stop. */
export function sentence(text) {
  const trimmed = String(text).trim();
  const named = /^[^\s]*[_[.(][^\s]/.test(trimmed);
  return trimmed ? (named ? trimmed[0] : trimmed[0].toUpperCase()) + trimmed.slice(1) + (/[.!?…]$/.test(trimmed) ? "" : ".") : "";
}

/**
 * Run *load* and show what it gives in *node*: waiting, then the nodes that it made (or a function that gives them), or the failure. Once again with
 * the function that this gives; what is shown stays until the new is there.
 */
export function shown(node, load, signal) {
  let turn = 0;
  const run = async () => {
    const mine = (turn += 1);
    if (!node.hasChildNodes()) fill(node, waiting());
    node.setAttribute("aria-busy", "true");
    try {
      const made = await load();
      if (mine === turn && !signal.aborted && made !== undefined) refill(node, made);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted || mine !== turn) return;
      fill(node, failed(error, run));
    } finally {
      if (mine === turn) node.removeAttribute("aria-busy");
    }
  };
  run();
  return run;
}

/** A label with its input, and a word of help below. */
export function field(label, input, help = null) {
  const id = input.id || (input.id = fresh("f"));
  const hint = help && h("small", { id: `${id}-help` }, help);
  if (hint) input.setAttribute("aria-describedby", hint.id);
  return h("div.field", {}, h("label", { for: id }, label), input, hint);
}

/** The same in a line: the label before its input. */
export function across(label, input) {
  const made = field(label, input);
  made.classList.add("across");
  return made;
}

/** A chooser of one of *options*: [value, label]. */
export function choose(label, options, value, changed) {
  const select = h("select", { "aria-label": label, onchange: () => changed(select.value) },
    options.map(([one, text]) => h("option", { value: one, selected: one === value }, text)));
  return select;
}

const SPANS = [["1h", HOUR], ["6h", 6 * HOUR], ["24h", DAY], ["7d", 7 * DAY], ["30d", 30 * DAY], ["1y", 365 * DAY]];

/** The range that a view's address asks for: the last *usual* (one of SPANS' names), `last=7d`, or from `start` to `end`. */
export function rangeOf(query, usual = "24h", now = Date.now()) {
  const start = ms(query.get("start"));
  const end = ms(query.get("end"));
  if (start !== null && end !== null && start < end) return { start, end, last: null };
  const last = SPANS.find(([name]) => name === query.get("last")) ?? SPANS.find(([name]) => name === usual);
  return { start: now - last[1], end: now, last: last[0] };
}

/** A chooser of the range; *changed* is given the changes of the query. */
export function rangeChooser(range, changed) {
  const from = h("input", { type: "datetime-local", value: wall(range.start, false), "aria-label": `From, ${zone()}` });
  const to = h("input", { type: "datetime-local", value: wall(range.end, false), "aria-label": `To, ${zone()}` });
  const apply = () => {
    const [start, end] = [fromWall(from.value), fromWall(to.value)];
    if (start < end) changed({ last: null, start: iso(start), end: iso(end) });
    else announce("The range ends before it begins");
  };
  const length = range.end - range.start;
  const shift = (by) => changed({ last: null, start: iso(range.start + by * length), end: iso(range.end + by * length) });
  return h("div.range", { role: "group", "aria-label": `Range, ${stamp(range.start)} to ${stamp(range.end)}` },
    h("div.segments", {}, SPANS.map(([name]) => h("button", {
      type: "button", "aria-pressed": String(range.last === name), onclick: () => changed({ last: name, start: null, end: null }),
    }, name))),
    h("button.icon", { type: "button", "aria-label": "Earlier", onclick: () => shift(-0.5) }, "‹"),
    from, h("span", { "aria-hidden": "true" }, "–"), to,
    h("button", { type: "button", onclick: apply }, "Show"),
    h("button.icon", { type: "button", "aria-label": "Later", onclick: () => shift(0.5) }, "›"));
}

/**
 * A table. *columns*: {title, cell(row) → node or text, value(row) to sort by, numeric, hidden (title is unseen)}
 *
 * sort    [column, -1 or 1] to begin with; headings of columns with a value are buttons that sort
 * sorted  called with the [column, -1 or 1] that the reader chose
 */
export function table(caption, columns, rows, { sort = null, sorted = null, empty = "There is nothing.", rowClass = null } = {}) {
  if (!rows.length) return nothing(empty);
  const body = h("tbody");
  let by = sort;
  const heads = columns.map((column, at) => {
    const title = column.hidden ? h("span.unseen", {}, column.title) : column.title;
    return h("th", { scope: "col", ...(column.numeric ? { class: "numeric" } : {}) },
      column.value ? h("button.sort", { type: "button", onclick: () => {
        order([at, by?.[0] === at ? -by[1] : column.numeric ? -1 : 1]);
        sorted?.(by);
      } }, title) : title);
  });
  const order = (now) => {
    by = now;
    const ordered = [...rows];
    if (by) {
      const value = columns[by[0]].value;
      const compared = (x, y) => (x === y ? 0 : x === null || x === undefined ? 1 : y === null || y === undefined ? -1 : x < y ? -by[1] : by[1]);
      ordered.sort((x, y) => compared(value(x), value(y)));
    }
    heads.forEach((head, at) => {
      if (by?.[0] === at) head.setAttribute("aria-sort", by[1] > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    fill(body, ordered.map((row) => h("tr", rowClass ? { class: rowClass(row) } : {},
      columns.map((column) => h(column.numeric ? "td.numeric" : "td", {}, column.cell(row))))));
  };
  order(by);
  // Wide tables scroll within themselves, with the keyboard as well.
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": `${caption}, a table` },
    h("table", {}, h("caption.unseen", {}, caption), h("thead", {}, h("tr", {}, heads)), body));
}

/** A question that is answered before something that cannot be undone. Resolves with true or false. */
export function confirmed(question, yes = "Delete") {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-label": question },
      h("p", {}, question),
      h("div.actions", {}, h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
        h("button.danger", { type: "button", onclick: () => dialog.close("yes") }, yes)));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** An input of text that offers the names of sources as they are typed. */
export function sourceInput(attributes, signal) {
  const list = h("datalist", { id: fresh("l") });
  const input = h("input", { type: "search", autocomplete: "off", spellcheck: "false", ...attributes, list: list.id });
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      try {
        const found = await all("/sources", "sources", { prefix: input.value, limit: 20 }, signal, 20);
        fill(list, found.map((one) => h("option", { value: one.source })));
      } catch { /* it goes without */ }
    }, 150);
  });
  return [input, list];
}

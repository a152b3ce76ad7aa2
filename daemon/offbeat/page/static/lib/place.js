// The query of the address, as a view changes it without being drawn anew.

import { changed, here, link } from "./route.js";

/** What the address says now, for a view that changes parts of it by itself. */
export function place(context) {
  let query = context.query;
  const set = (changes) => {
    const now = changed(query, changes);
    query = new URLSearchParams(now);
    return now;
  };
  return {
    get: (name) => query.get(name),
    query: () => query,
    /** Another query in the place of this one: the back button leads to where the reader was before this view. */
    put: (changes) => context.put(set(changes)),
    /** Another query that the back button undoes. */
    push: (changes) => {
      const { view, names } = here();
      history.pushState(null, "", link(view, names, set(changes)));
    },
  };
}

/** The order of a table as the address has it, "3,-1": [column, direction]; *usual* if it has none. */
export function orderOf(text, usual = null) {
  const found = /^(\d+),(-?1)$/.exec(text ?? "");
  return found ? [Number(found[1]), Number(found[2])] : usual;
}

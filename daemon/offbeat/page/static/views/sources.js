// The sources: all of them, or one. Which, says the address.

import { showList } from "./source-list.js";
import { showSource } from "./source-one.js";

export function title(names) {
  return names.length ? names[0] : "Sources";
}

export function show(main, context) {
  return context.names.length ? showSource(main, context) : showList(main, context);
}

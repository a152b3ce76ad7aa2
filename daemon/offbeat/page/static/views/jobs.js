// The jobs: all of them, one of them, a new one. #/jobs, #/jobs/{id}/{tab}, #/jobs/new

import { form } from "./jobs-form.js";
import { list } from "./jobs-list.js";
import { one } from "./jobs-one.js";

export function title([id, tab]) {
  if (id === undefined) return "Jobs";
  return id === "new" && tab === undefined ? "New job" : `Job ${id}`;
}

export function show(main, context) {
  const [id, tab] = context.names;
  if (id === undefined) return list(main, context);
  // A job may be called new: its address names the tab.
  return id === "new" && tab === undefined ? form(main, context) : one(main, context, id, tab ?? "results");
}

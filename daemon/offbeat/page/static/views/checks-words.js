// How the views of checks name things, and what they save of them.

import { saveCsv } from "../lib/download.js";

/** The series that an outcome is about, in words. */
export function named(outcome) {
  return outcome.columns.every((column) => column.source === outcome.source)
    ? `${outcome.source} ${outcome.columns.map((column) => column.field).join(", ")}`
    : outcome.columns.map((column) => `${column.source} ${column.field}`).join(", ");
}

/** Outcomes as a file. */
export function csv(outcomes) {
  saveCsv("outcomes", ["ran", "check", "series", "status", "reason", "message", "data_time", "duration_ms"],
    outcomes.map((row) => [row.ran, row.check, named(row), row.status, row.reason, row.message, row.data_time, row.duration_ms]));
}

/** What a check is made of, as the API takes it, with *changes*. */
export function given(check, changes = {}) {
  const { id, description, kind, parameters, series, interval_s, time_limit_s, raise_after, clear_after, enabled } = check;
  return { id, description, kind, parameters, series, interval_s, time_limit_s, raise_after, clear_after, enabled, ...changes };
}

// What a view of one source asks the daemon for, in the form that its charts take. Knows no element of the page.

import { get, part } from "../lib/api.js";
import { number } from "../lib/scores.js";
import { iso, stamp } from "../lib/time.js";

export const RECORDS_MOST = 200;
const OUTCOMES_MOST = 200;
const OUTCOMES_BEFORE = 200;
const GAP = 3; // so many usual steps without a reading: nothing came
const STEP_NAMES = { "1m": "minute", "1h": "hour", "1d": "day" };

/**
 * The readings of *fields* of a source in *range*, by field: {field, level, downsampled, count, times, columns, band, gap}
 *
 * times    milliseconds         columns  {value}, or {mean, min, max} of windows
 * band     {times, typical, lower, upper}        gap  ms from one to the next from which on nothing came between
 */
export async function readings(source, fields, range, width, signal) {
  if (!fields.length) return new Map();
  const found = await get(`/sources/${part(source)}/readings`, {
    field: fields, start: iso(range.start), end: iso(range.end), width: Math.max(100, Math.round(width)), columns: "mean,min,max", time: "epoch_ms",
  }, signal);
  return new Map(found.series.map((one) => [one.field, prepared(one)]));
}

function prepared(one) {
  const times = one.time;
  const columns = one.level === "raw" ? { value: one.value } : { mean: one.mean, min: one.min, max: one.max };
  const { time, typical, lower, upper } = one.band;
  return {
    field: one.field, level: one.level, downsampled: one.downsampled, count: one.reading_count, times, columns, gap: gapOf(times, one.downsampled),
    band: { times: time, typical, lower, upper, gap: gapOf(time, false) },
  };
}

/** Down-sampled, four points share a pixel and their steps say nothing: there it is the step of pixels that counts. */
function gapOf(times, downsampled) {
  if (times.length < 3) return Infinity;
  if (downsampled) return (GAP * 4 * (times.at(-1) - times[0])) / times.length;
  const steps = times.slice(1).map((time, at) => time - times[at]).sort((x, y) => x - y);
  return GAP * Math.max(1, steps[steps.length >> 1]);
}

/** Where *times* begin anew after a gap: the first index of each piece, and their number at the end. */
export function pieces(times, gap) {
  const starts = [0];
  for (let at = 1; at < times.length; at += 1) if (times[at] - times[at - 1] > gap) starts.push(at);
  return [...starts, times.length];
}

/** The findings of a source in *range*, strongest first: {records, more}. */
export async function findings(source, job, range, signal) {
  const found = await get("/records", {
    job, source, start: iso(range.start), end: iso(range.end), order: "-score", limit: RECORDS_MOST, explain: false,
  }, signal);
  return { records: found.records, more: found.next_cursor !== null };
}

/** What was said of a source, and is in force. */
export async function feedback(source, signal) {
  const found = await get("/feedback", { source, limit: 1000 }, signal);
  return found.feedback.filter((one) => one.undone === null);
}

/**
 * What checks said of a source in *range*, by subject: {check, columns, outcomes} with the outcomes in the order of time.
 *
 * An outcome is a change: what held when the range began is the newest before it.
 */
export async function outcomes(source, range, signal) {
  const [found, before] = await Promise.all([
    get("/outcomes", { source, start: iso(range.start), end: iso(range.end), limit: OUTCOMES_MOST }, signal),
    get("/outcomes", { source, end: iso(range.start), limit: OUTCOMES_BEFORE }, signal),
  ]);
  const subjects = new Map();
  const held = new Map(before.outcomes.toReversed().map((one) => [one.subject, one]));
  for (const one of [...held.values(), ...found.outcomes.toReversed()]) {
    if (!subjects.has(one.subject)) subjects.set(one.subject, { check: one.check, columns: one.columns, outcomes: [] });
    subjects.get(one.subject).outcomes.push(one);
  }
  return [...subjects.values()];
}

/** What was seen and expected, in a few words. */
export function seen(record) {
  const bounds = record.lower === null || record.upper === null ? "" : `${number(record.lower)} to ${number(record.upper)}`;
  if (record.actual === null) return "nothing came";
  const inside = bounds && record.actual >= record.lower && record.actual <= record.upper;
  return `${number(record.actual)}${inside ? `, within ${bounds}, but odd in its course` : bounds ? `, expected ${bounds}` : ""}`;
}

/** How fine what is shown is, in words. */
export function levelWords(series) {
  if (!series || !series.times.length) return "no readings in this range";
  const counted = `${new Intl.NumberFormat("en").format(series.count)} ${series.count === 1 ? "reading" : "readings"}`;
  if (series.level === "raw") return series.downsampled ? `${counted}, the extremes of each pixel` : `${counted}, each as it came`;
  return `${counted} as mean, least and greatest of each ${series.downsampled ? "pixel" : STEP_NAMES[series.level]}`;
}

/** The rows of *series* as a file has them: names, and one list a point, with what was expected then. */
export function rowsOf(series) {
  const names = Object.keys(series.columns);
  const { band } = series;
  let at = -1;
  return {
    names: ["time", ...names, "typical", "lower", "upper"],
    rows: series.times.map((time, row) => {
      while (at + 1 < band.times.length && band.times[at + 1] <= time) at += 1;
      const expected = at >= 0 ? [band.typical[at], band.lower[at], band.upper[at]] : [null, null, null];
      return [iso(time), ...names.map((name) => series.columns[name][row]), ...expected];
    }),
  };
}

/** The chart in a sentence, for who cannot see it: what came, what was found, what checks say at its end. */
export function about(field, series, records, range, outcomes = []) {
  const said = outcomes.map((one) => `, check ${one.check} is ${one.outcomes.at(-1).status}`).join("");
  const when = `${stamp(range.start)} to ${stamp(range.end)}`;
  if (!series || !series.times.length) return `${field}: no readings, ${when}${said}`;
  const low = Math.min(...(series.columns.min ?? series.columns.value).filter((one) => one !== null));
  const high = Math.max(...(series.columns.max ?? series.columns.value).filter((one) => one !== null));
  return `${field}, ${when}: ${number(low)} to ${number(high)}, ${records.length} ${records.length === 1 ? "finding" : "findings"}${said}`;
}

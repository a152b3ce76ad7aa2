// The latest findings, in words.

import { get } from "../lib/api.js";
import { a, fill, h } from "../lib/dom.js";
import { failed, nothing, waiting } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { number, scoreBadge } from "../lib/scores.js";
import { iso, ms, timeNode } from "../lib/time.js";

const MOST = 12;

/** The newest findings of *range* into *list*. */
export async function findings(list, range, signal) {
  if (!list.hasChildNodes()) fill(list, h("li", {}, waiting()));
  try {
    const { records } = await get("/records", {
      order: "-time", min_score: 25, limit: MOST, start: iso(range.start), end: range.last === null ? iso(range.end) : null,
    }, signal);
    fill(list, records.length ? records.map((record) => findingItem(record)) : h("li", {}, nothing("There is no finding of a score of 25 or more in this time.")));
  } catch (error) {
    if (error.name !== "AbortError") fill(list, h("li", {}, failed(error, () => findings(list, range, signal))));
  }
}

/** One finding: of a series, or of a job that asks of buckets. */
export function findingItem(record, isNew = false) {
  const time = ms(record.time ?? record.bucket_start);
  const where = record.source
    ? a(link("sources", [record.source], { finding: record.id }), `${record.source} ${record.field}`)
    : a(link("jobs", [record.job], { start: record.bucket_start }), `${record.job}: ${entity(record)}`);
  return h(isNew ? "li.new" : "li", {}, h("div.row", {}, scoreBadge(record.score), where, h("span.when", {}, timeNode(time))),
    h("p", {}, record.explain?.sentence ?? words(record)));
}

function entity(record) {
  const named = ["partition", "by", "over"].map((one) => record[one]?.value).filter(Boolean);
  return [record.measure ?? record.function, record.field, ...named].filter(Boolean).join(" ");
}

function words(record) {
  const [actual, typical] = [record.actual, record.typical].map((one) => (Array.isArray(one) ? one.map((x) => number(x)).join(", ") : number(one)));
  return `It was ${actual}, typical ${typical}.`;
}

// All jobs: what each asks, how it is, what it found last.

import { get, part } from "../lib/api.js";
import { a, fill, h } from "../lib/dom.js";
import { again } from "../lib/again.js";
import { saveCsv } from "../lib/download.js";
import { orderOf, place } from "../lib/place.js";
import { heading, shown, table } from "../lib/parts.js";
import { changed, link } from "../lib/route.js";
import { bytes, count, scoreBadge } from "../lib/scores.js";
import { DAY, iso, ms, timeNode, ago } from "../lib/time.js";
import { actions, asks, hasDetectors, jobLink, seconds, stateBadge } from "./jobs-words.js";

const ROWS = 50;

export function list(main, context) {
  const { query, signal } = context;
  const at = place(context);
  const found = new Map(); // by job: {worst, newest}; what was found is asked again only of those that told something
  const pages = (query.get("pages") ?? "").split(" ").filter(Boolean);
  const to = (changes) => context.go("jobs", [], changed(query, changes));
  const wrong = h("div");
  const board = h("div");
  let jobs = [];
  let next = null;

  fill(main,
    heading("Jobs", "What is looked for: readings that are unusual for their series, or buckets that are unlike those before them.",
      h("button", { type: "button", onclick: () => csv(jobs, found) }, "CSV"),
      h("a.button.primary", { href: link("jobs", ["new"]) }, "New job")),
    wrong, board);

  const load = async () => {
    const page = await get("/jobs", { limit: ROWS, cursor: pages.at(-1) }, signal);
    [jobs, next] = [page.jobs, page.next_cursor];
    await Promise.all(jobs.filter((job) => !found.has(job.id)).map(async (job) => found.set(job.id, await results(job, signal))));
    return [rows(), pager()];
  };
  const refresh = shown(board, load, signal);
  again(context, refresh, { concerns: (document) => found.delete(document.job) || true });

  function rows() {
    return table("Jobs", [
      { title: "Job", value: (job) => job.id, cell: (job) => [a(jobLink(job.id), job.id), job.description ? h("div.about", {}, job.description) : null] },
      { title: "State", value: (job) => job.state, cell: (job) => stateBadge(job.state) },
      { title: "Worst of 24 h", numeric: true, value: (job) => found.get(job.id)?.worst ?? null, cell: (job) => worst(found.get(job.id)) },
      { title: "Asks", cell: (job) => h("div.asks", {}, asks(job), h("div.about", {}, `every ${seconds(job.bucket_span_s)}`)) },
      { title: "Newest finding", value: (job) => found.get(job.id)?.newest ?? null, cell: (job) => newest(found.get(job.id)) },
      { title: "Events", numeric: true, value: taken, cell: (job) => count(taken(job)) },
      { title: "Memory", numeric: true, value: memory, cell: (job) => bytes(memory(job)) },
      {
        title: "What can be done", hidden: true,
        cell: (job) => h("div.row.todo", {}, actions(job, {
          done: refresh, gone: refresh, wrong: (node) => fill(wrong, node),
        })),
      },
    ], jobs, {
      empty: "There is no job on this page.", sort: orderOf(at.get("sort")),
      sorted: (by) => at.put({ sort: by.join(",") }),
    });
  }

  function pager() {
    if (!pages.length && !next) return null;
    return h("nav.pages", { "aria-label": "Pages" },
      h("button", { type: "button", disabled: !pages.length, onclick: () => to({ pages: pages.slice(0, -1).join(" ") }) }, "‹ Before"),
      h("button", { type: "button", disabled: !next, onclick: () => to({ pages: [...pages, next].join(" ") }) }, "After ›"));
  }
}

function taken(job) {
  return hasDetectors(job) ? job.counts.processed : job.event_count;
}

/** Bytes that the models of a job take. */
export function memory(job) {
  return hasDetectors(job) ? job.size.model_bytes : job.model_count * job.bytes_per_series;
}

function worst(one) {
  return one?.worst === null || one?.worst === undefined ? "–" : scoreBadge(one.worst);
}

function newest(one) {
  return one?.newest ? timeNode(one.newest, ago(one.newest)) : "none yet";
}

/** The highest score of the last day, and the time of the newest finding. */
async function results(job, signal) {
  const day = { start: iso(Date.now() - DAY), order: "-score", limit: 1 };
  const [buckets, records] = hasDetectors(job)
    ? await Promise.all([
      get(`/jobs/${part(job.id)}/results/buckets`, day, signal), get(`/jobs/${part(job.id)}/results/records`, { order: "-time", limit: 1 }, signal),
    ])
    : await Promise.all([
      get("/buckets", { ...day, job: job.id, scope: "job" }, signal),
      get("/records", { job: job.id, order: "-time", limit: 1, explain: false }, signal),
    ]);
  const last = records.records[0];
  return { worst: buckets.buckets[0]?.score ?? null, newest: last ? ms(last.time ?? last.bucket_start) : null };
}

function csv(jobs, found) {
  saveCsv("jobs", ["id", "description", "state", "asks", "bucket_span_s", "worst_24h", "newest_finding", "events", "model_bytes"], jobs.map((job) => {
    const { worst: most = null, newest: last = null } = found.get(job.id) ?? {};
    return [job.id, job.description, job.state, asks(job), job.bucket_span_s, most, last && iso(last), taken(job), memory(job)];
  }));
}

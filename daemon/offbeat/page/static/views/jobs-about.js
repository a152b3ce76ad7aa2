// What a job has besides findings: categories of messages, snapshots of its models, its feed, what it is asked.

import { address, all, get, part, send } from "../lib/api.js";
import { announce, fill, h } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { confirmed, failed, section, shown, table } from "../lib/parts.js";
import { bytes, count, number } from "../lib/scores.js";
import { ms, timeNode } from "../lib/time.js";
import { asks, detectorWords, hasDetectors, listens, seconds } from "./jobs-words.js";

const CATEGORIES = 1_000;
/** What a job says of itself besides what it is asked. */
const SAID = new Set(["state", "created", "closed", "last_upload", "latest_bucket", "counts", "size", "withheld", "peers", "categorization", "series_count", "model_count", "models_max",
  "evicted_count", "unjudged_count", "event_count", "late_count", "record_count", "bytes_per_series"]);

/** What *job* is asked, as a document that makes another one. */
export function specOf(job) {
  return Object.fromEntries(Object.entries(job).filter(([name, value]) => !SAID.has(name) && value !== null && value !== ""));
}

export function categories(body, context, job) {
  const node = h("div");
  let rows = [];
  const again = shown(node, async () => {
    const found = await all(`/jobs/${part(job.id)}/results/categories`, "categories", { limit: CATEGORIES }, context.signal, CATEGORIES);
    if (JSON.stringify(found) === JSON.stringify(rows) && rows.length) return undefined;
    rows = found;
    return table("Categories", [
      { title: "No.", numeric: true, value: (one) => one.id, cell: (one) => one.id },
      { title: "Messages", numeric: true, value: (one) => one.matches, cell: (one) => count(one.matches) },
      { title: "Words that all have", value: (one) => one.terms, cell: (one) => h("code", {}, one.terms) },
      { title: "Examples", cell: (one) => h("ul.examples", {}, one.examples.map((text) => h("li.mono", {}, text))) },
    ], rows, { empty: "No message has come yet." });
  }, context.signal);
  fill(body, section(`Categories of ${job.categorization_field}`, h("div.row", {}, h("button", {
    type: "button", onclick: () => saveCsv(`${job.id}-categories`, ["id", "matches", "terms", "regex", "examples"], rows.map((one) => [one.id, one.matches, one.terms, one.regex, one.examples.join("\n")])),
  }, "CSV")), node));
  return again;
}

export function snapshots(body, context, job, { refresh, wrong }) {
  const node = h("div");
  const said = h("div");
  let seen = "";
  const again = shown(node, async () => {
    const { snapshots: rows } = await get(`/jobs/${part(job.id)}/snapshots`, {}, context.signal);
    const text = JSON.stringify(rows);
    if (text === seen) return undefined;
    seen = text;
    return table("Snapshots", [
      { title: "Taken", value: (one) => one.taken, cell: (one) => [timeNode(ms(one.taken)), one.in_use ? h("small", {}, " in use") : null] },
      { title: "Up to", cell: (one) => timeNode(ms(one.latest_record)) },
      { title: "Memory", numeric: true, value: (one) => one.size.model_bytes, cell: (one) => bytes(one.size.model_bytes) },
      { title: "Description", cell: described },
      {
        title: "What can be done", hidden: true,
        cell: (one) => h("div.row.todo", {},
          h("button", { type: "button", onclick: () => revert(one), "aria-label": `Go on from the snapshot of ${one.taken}` }, "Go on from it"),
          one.in_use ? null : h("button.danger", { type: "button", onclick: () => remove(one), "aria-label": `Delete the snapshot of ${one.taken}` }, "Delete")),
      },
    ], rows, { empty: "There is none yet: each close and pause takes one." });
  }, context.signal);
  const done = async (call, words) => {
    try {
      await call();
      announce(words);
      fill(said);
      wrong(null);
    } catch (error) {
      fill(said, failed(error));
    }
    await refresh();
  };
  const path = (one) => `/jobs/${part(job.id)}/snapshots/${part(one.id)}`;
  function described(one) {
    const input = h("input", {
      value: one.description, size: 32, maxlength: 1000, "aria-label": `Description of the snapshot of ${one.taken}`,
      onchange: () => done(() => send("PATCH", path(one), { description: input.value }), "The description is kept"),
    });
    return input;
  }
  async function revert(one) {
    const forget = h("input", { type: "checkbox", id: "forget" });
    const yes = await asking(`Go on from the models of ${one.taken}?`,
      h("div.field.across", {}, forget, h("label", { for: "forget" }, "Delete the results after it as well, and take the records after it once more")), "Go on from it");
    if (yes) await done(() => send("POST", `${path(one)}/revert?forget_results=${forget.checked}`), "The job goes on from this snapshot");
  }
  async function remove(one) {
    if (await confirmed(`Delete the snapshot of ${one.taken}?`)) await done(() => send("DELETE", path(one)), "The snapshot is deleted");
  }
  fill(body, section("Snapshots of the models", h("p.about", {}, "To go on from one, the job must be closed, or paused if it listens to events."), said, node));
  return again;
}

function asking(question, more, yes) {
  const answered = confirmed(question, yes);
  document.querySelector("dialog[open] .actions").before(more);
  return answered;
}

export function feed(body, context, job, { fed, refresh, wrong }) {
  const node = h("div");
  const said = h("div");
  const act = (what) => async () => {
    try {
      await send("POST", `/jobs/${part(job.id)}/feed/${what}`);
      announce(what === "start" ? "The feed reads" : "The feed has stopped");
      fill(said);
      wrong(null);
    } catch (error) {
      fill(said, failed(error));
    }
    await refresh();
  };
  let seen = "";
  const draw = (_, one) => {
    const text = JSON.stringify(one);
    if (!one || text === seen) return;
    seen = text;
    fill(node,
      h("div.row", {}, h(`span.badge.state-${one.state === "STARTED" ? "on" : "off"}`, {}, `${one.state === "STARTED" ? "●" : "○"} ${one.state.toLowerCase()}`),
        one.state === "STOPPED" ? h("button", { type: "button", onclick: act("start") }, "Start") : h("button", { type: "button", onclick: act("stop") }, "Stop")),
      one.trouble ? h("div.note.bad", {}, h("p", {}, h("strong", {}, one.trouble.message)),
        h("p", {}, "Since ", timeNode(ms(one.trouble.since)), `, tried ${count(one.trouble.tries)} times, again at `, timeNode(ms(one.trouble.again)))) : null,
      h("dl.facts", {}, [
        ["Reads", one.feed.source.kind], ["Records", count(one.record_count)], ["Outside of its time", count(one.outside_count)], ["Batches", count(one.batch_count)],
        ["Troubles", count(one.trouble_count)], ["Last read", timeNode(ms(one.last_read))], ["From", one.start ?? "the beginning"], ["Until", one.end ?? "for good"],
      ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      one.told.length ? [h("h3", {}, "What it had to say"), h("ul", {}, one.told.map((told) => h("li", {}, timeNode(ms(told.time)), ` ${told.message}`)))] : null,
      h("details", {}, h("summary", {}, "The feed as JSON"), h("pre", { tabindex: "0" }, JSON.stringify(one.feed, null, 2))));
  };
  draw(job, fed);
  fill(body, section("Feed", said, node));
  return draw;
}

export function settings(body, context, job) {
  const rows = hasDetectors(job) ? [
    ["Bucket", seconds(job.bucket_span_s)], ["Waits for late records", seconds(job.latency_s)],
    ["Records", listens(job) ? `events of sources ${(job.sources.length ? job.sources : ["*"]).join(", ")} with fields ${(job.fields.length ? job.fields : ["*"]).join(", ")}` : "sent to it"],
    ["Influencers", job.influencers.join(", ") || "none"],
    ["Memory", job.memory_max_mb === -1 ? "no limit" : job.memory_max_mb ? `at most ${job.memory_max_mb} MiB` : "as usual"],
    ["Model plot", job.model_plot ? `kept ${job.model_plot.days} days` : "none"],
    ["Overlapping buckets", job.overlapping_buckets ? "yes" : "no"],
  ] : [
    ["Model", job.model], ["Sources", job.sources.join(", ")], ["Fields", job.fields.join(", ")],
    ["Bucket", seconds(job.bucket_span_s)], ["Waits for late readings", seconds(job.latency_s)], ["Peers", job.peer_groups.join(", ") || "all sources"],
    ["Most models", job.models_max === null ? "one for every series" : count(job.models_max)],
  ];
  const spec = JSON.stringify(specOf(job), null, 2);
  fill(body, section("What it is asked",
    hasDetectors(job)
      ? h("ol.questions", { start: 0 }, job.detectors.map((one) => h("li", {}, h("b", {}, detectorWords(one)), one.description ? `: ${one.description}` : "",
        one.rules.length ? h("small", {}, ` ${one.rules.length} rule${one.rules.length === 1 ? "" : "s"}`) : null)))
      : h("p", {}, asks(job)),
    h("dl.facts", {}, [...rows, ["Created", timeNode(ms(job.created))]].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    known(job), withheld(job)),
  section("As JSON", h("p.about", {}, "POST /api/v1/jobs with this makes such a job."), h("pre", { tabindex: "0", "aria-label": "The job as JSON" }, spec),
    h("div.row", {}, hasDetectors(job) ? h("a.button", { href: address(`/jobs/${part(job.id)}/export`), download: true }, "Export the job with its models") : null)));
  return null;
}

/** Whether categories are of use, and with how many others members of populations are compared. */
function known(job) {
  const peers = job.peers ?? [];
  if (!job.categorization && !peers.length) return null;
  return [h("h3", {}, "What it has learned of them"), h("ul", {},
    job.categorization ? h("li", {}, `Categories: ${Object.entries(job.categorization).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ")}`) : null,
    peers.map((one) => h("li", {}, `Detector ${one.detector}: ${count(one.populations)} populations, ${number(one.members)} members in a usual bucket of all of them`)))];
}

function withheld(job) {
  if (!job.withheld?.length) return null;
  return [h("h3", {}, "Held back"), h("ul", {}, job.withheld.map((one) =>
    h("li", {}, `Detector ${one.detector}, ${one.cause}: ${count(one.values)} values, ${count(one.records)} of them findings; ${count(one.unlearned)} not learned`)))];
}

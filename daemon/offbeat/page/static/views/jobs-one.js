// One job: how it is, what can be done to it, and under its tabs what it found, learned and is asked.

import { get, part } from "../lib/api.js";
import { a, fill, h, refill } from "../lib/dom.js";
import { again } from "../lib/again.js";
import { nothing } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { bytes, count } from "../lib/scores.js";
import { ms, timeNode } from "../lib/time.js";
import { categories, feed, settings, snapshots } from "./jobs-about.js";
import { memory } from "./jobs-list.js";
import { results } from "./jobs-results.js";
import { actions, asks, hasDetectors, jobLink, stateBadge } from "./jobs-words.js";

const TABS = { results: "Results", categories: "Categories", snapshots: "Snapshots", feed: "Feed", settings: "Settings" };

export async function one(main, context, id, tab) {
  const { signal } = context;
  fill(main, h("h1", {}, `Job ${id}`), h("p.waiting", { role: "status" }, "Loading …"));
  let [job, fed] = [null, null];
  try {
    [job, fed] = await Promise.all([get(`/jobs/${part(id)}`, {}, signal), feedOf(id, signal)]);
  } catch (error) {
    if (error.status !== 404) throw error;
    fill(main, h("h1", {}, `Job ${id}`), nothing("There is no such job.", h("p", {}, a(link("jobs"), "To the jobs"))));
    return;
  }
  const title = h("h1", {}, job.id, " ");
  const state = h("span");
  const facts = h("p.facts-line");
  const doing = h("div.actions");
  const wrong = h("div");
  const body = h("div");
  const tabs = ["results", hasDetectors(job) && job.categorization_field ? "categories" : null, hasDetectors(job) ? "snapshots" : null,
    fed ? "feed" : null, "settings"].filter(Boolean);

  const head = () => {
    fill(state, stateBadge(job.state));
    fill(facts, factsOf(job).flatMap(([name, value]) => [h("span", {}, `${name} `, h("b", {}, value)), " "]));
    const focused = doing.contains(document.activeElement);
    refill(doing, actions(job, { done: refresh, gone: () => context.go("jobs"), wrong: (node) => fill(wrong, node) }),
      h("a.button", { href: link("jobs", ["new"], { like: job.id }) }, "Copy as new"));
    if (focused && !doing.contains(document.activeElement)) doing.querySelector("button")?.focus(); // its button is gone: paused
  };
  const refresh = async () => {
    try {
      [job, fed] = await Promise.all([get(`/jobs/${part(id)}`, {}, signal), fed ? feedOf(id, signal) : null]);
      head();
      await shows?.(job, fed);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404) fill(wrong, nothing("This job is gone.", h("p", {}, a(link("jobs"), "To the jobs"))));
      else throw error;
    }
  };
  head();
  fill(main,
    h("div.heading", {}, h("div", {}, h("div.row", {}, title, state), h("p.about", {}, job.description || asks(job)), facts), doing),
    wrong,
    h("nav.tabs", { "aria-label": `Of job ${job.id}` }, tabs.map((name) =>
      h("a", { href: jobLink(job.id, name), "aria-current": name === tab ? "page" : null }, TABS[name]))),
    body);

  const parts = { results, categories, snapshots, feed, settings };
  let shows = null;
  if (!tabs.includes(tab)) {
    fill(body, nothing(tab in TABS ? `This job has no ${TABS[tab].toLowerCase()}.` : "There is no such view of a job.", h("p", {}, a(jobLink(job.id), "To its results"))));
  } else {
    shows = await parts[tab](body, context, job, { fed, refresh: () => refresh(), wrong: (node) => fill(wrong, node) });
  }
  again(context, refresh, { concerns: (document) => document.job === id });
}

function factsOf(job) {
  const some = [["Memory", bytes(memory(job))]];
  if (!hasDetectors(job)) {
    return [["Events", count(job.event_count)], ["Findings", count(job.record_count)], ["Series", count(job.series_count)],
      ["Late", count(job.late_count)], ...some];
  }
  const { counts } = job;
  const trouble = [["Out of order", counts.out_of_order], ["Without a time", counts.bad_time], ["Missing fields", counts.missing_fields]]
    .filter(([, value]) => value).map(([name, value]) => [name, count(value)]);
  return [["Records", count(counts.processed)], ["Buckets", count(counts.buckets)],
    ["Final up to", timeNode(ms(job.latest_bucket))], ...trouble, ...some];
}

/** The feed of a job; null if it has none. */
async function feedOf(id, signal) {
  return (await get("/feeds", {}, signal)).feeds.find((one) => one.job === id) ?? null;
}

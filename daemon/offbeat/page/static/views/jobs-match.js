// How much a job would see: the sources and fields that its patterns match, of those that there are.

import { all, get, part } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { count } from "../lib/scores.js";
import { lines } from "./jobs-draft.js";

const MOST = 20_000;
const PAGE = 1_000;

/** A pattern with *, ? and […] as a regular expression over the whole text. */
export function patternOf(pattern) {
  let made = "";
  for (let i = 0; i < pattern.length; i += 1) {
    const one = pattern[i];
    const end = one === "[" ? pattern.indexOf("]", i + 2) : -1;
    if (one === "*") made += ".*";
    else if (one === "?") made += ".";
    else if (end > 0) {
      const inside = pattern.slice(i + 1, end).replaceAll("\\", "\\\\").replaceAll("[", "\\[").replaceAll("]", "\\]").replace(/^\^/, "\\^");
      made += `[${inside.startsWith("!") ? `^${inside.slice(1)}` : inside}]`;
      i = end;
    } else made += one.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  }
  try {
    return new RegExp(`^${made}$`, "su");
  } catch {
    return { test: (text) => text === pattern };
  }
}

/** Says in *node* what the patterns match, soon after the last call; tells *fields* the names of fields of a source that they do. */
export function matching(node, signal, fields) {
  let timer = null;
  let turn = 0;
  signal.addEventListener("abort", () => clearTimeout(timer));
  const look = async (sources, those) => {
    const mine = (turn += 1);
    try {
      const wanted = lines(sources).map(patternOf);
      const own = lines(those).map(patternOf);
      const fits = (name, every) => !every.length || every.some((one) => one.test(name));
      const found = await all("/sources", "sources", { prefix: common(lines(sources)), limit: PAGE }, signal, MOST);
      const matched = found.filter((one) => fits(one.source, wanted));
      if (mine !== turn) return;
      if (!matched.length) {
        fill(node, h("strong", {}, "No source matches yet"), found.length ? "" : "; nothing has been sent that begins so", ". The job would wait for one.");
        fields([]);
        return;
      }
      const sample = await get(`/sources/${part(matched[0].source)}`, {}, signal);
      if (mine !== turn) return;
      const of = sample.series.filter((one) => fits(one.field, own)).map((one) => one.field);
      const series = matched.reduce((sum, one) => sum + one.series_count, 0);
      const every = !lines(those).length || lines(those).includes("*");
      fill(node, h("strong", {}, `${count(matched.length)}${found.length === MOST ? " or more" : ""} source${matched.length === 1 ? "" : "s"}`),
        every ? `, ${count(series)} series: ` : ` with ${count(series)} series, of which the fields choose: `,
        `${matched[0].source} has ${of.length ? of.slice(0, 8).join(", ") : "no numeric field that matches"}${matched.length > 1 ? ", …" : ""}`);
      fields(sample.series.map((one) => one.field));
    } catch (error) {
      if (error.name !== "AbortError") fill(node, `What matches cannot be told: ${error.message}`);
    }
  };
  return (sources, those, wait = 200) => {
    clearTimeout(timer);
    timer = setTimeout(() => look(sources, those), wait);
  };
}

/** What all that match begin with: the letters that all patterns have before anything special. */
function common(patterns) {
  const heads = (patterns.length ? patterns : ["*"]).map((one) => /^[^*?[]*/.exec(one)[0]);
  let head = heads[0];
  for (const one of heads) while (!one.startsWith(head)) head = head.slice(0, -1);
  return head;
}

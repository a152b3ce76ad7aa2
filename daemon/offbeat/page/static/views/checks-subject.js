// One subject of a check: the outcome now or an earlier one, the readings that it judged, its history.

import { get } from "../lib/api.js";
import { chart, colour, plain } from "../lib/chart.js";
import { a, fill, h } from "../lib/dom.js";
import { heading, section, sentence, shown } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { number, statusBadge } from "../lib/scores.js";
import { HOUR, MINUTE, iso, minuteOfDay, ms, stamp, timeNode, walls } from "../lib/time.js";
import { acknowledgement } from "./checks-acknowledge.js";
import { outcomeHistory } from "./checks-one.js";
import { csv, named } from "./checks-words.js";

const DAY_MINUTES = 1_440;
const COLOURS = ["--series", "--series-2", "--series-3"];

export function subject(main, context, check, number) {
  const { query, signal, stream } = context;
  const head = h("div");
  const data = h("div");
  const past = h("div");
  fill(main, head, data, section("History, newest first", past));
  const heads = shown(head, async () => {
    const chosen = query.get("outcome");
    const present = chosen === null ? (await get("/outcomes", { check, subject: number, limit: 1 }, signal)).outcomes[0] : { outcome: chosen };
    if (present === undefined) return heading(check, "It has said nothing of this yet.");
    const outcome = await get(`/outcomes/${present.outcome}`, {}, signal);
    drawData(data, outcome, signal);
    const step = (to, text) => h("a.button", { href: to === null ? null : link("checks", [check, number], { outcome: to }), "aria-disabled": to === null ? "true" : null }, text);
    return [
      heading(named(outcome), h("span", {}, "by the check ", a(link("checks", [check]), check)),
        statusBadge(outcome.status), step(outcome.previous, "‹ Before"), step(outcome.next, "After ›"),
        acknowledgement(outcome, () => heads())),
      section(outcome.status === "GREEN" ? "What it says" : "What is wrong", h("p", {}, sentence(outcome.message || "All is well")), facts(outcome)),
    ];
  }, signal);
  const history = shown(past, async () => {
    const { outcomes } = await get("/outcomes", { check, subject: number, limit: 200 }, signal);
    return [ribbon(outcomes), h("button", { type: "button", onclick: () => csv(outcomes) }, "CSV"), outcomeHistory(outcomes)];
  }, signal);
  const follow = ({ outcome }) => {
    if (outcome?.subject !== Number(number)) return;
    history();
    if (query.get("outcome") === null) heads();
  };
  stream.on("status", follow, signal);
  stream.addEventListener("resumed", () => {
    heads();
    history();
  }, { signal });
}

function facts(outcome) {
  const row = (name, ...value) => [h("dt", {}, name), h("dd", {}, value)];
  return h("dl.facts", {},
    row("Ran", timeNode(ms(outcome.ran)), ` in ${outcome.duration_ms.toFixed(1)} ms`),
    row("Judged data of", timeNode(ms(outcome.data_from)), " to ", timeNode(ms(outcome.data_time))),
    row("Since", timeNode(ms(outcome.since))),
    row("Kind", outcome.kind),
    Object.entries(outcome.parameters).map(([name, value]) => row(name, JSON.stringify(value))),
    Object.entries(outcome.details).filter(([, value]) => typeof value !== "object").map(([name, value]) => row(name, typeof value === "number" ? number(value) : String(value))),
    row("See also", outcome.columns.map((column) => [a(link("sources", [column.source]), `${column.source} ${column.field}`), " "])));
}

/** The readings that an outcome judged, with some before them, the limits, the expected curve. */
function drawData(node, outcome, signal) {
  if (outcome.data_time === null) {
    fill(node);
    return;
  }
  const end = ms(outcome.data_time) + 1;
  const from = Math.min(ms(outcome.data_from) ?? end, end - 6 * HOUR);
  const plot = h("div.plot");
  const plotted = h("div");
  fill(node, section("The data behind it", plotted));
  shown(plotted, async () => {
    const series = await Promise.all(outcome.columns.map((column) => get(`/sources/${encodeURIComponent(column.source)}/readings`, {
      field: column.field, start: iso(from), end: iso(end), width: 1200,
    }, signal)));
    let made = null;
    queueMicrotask(async () => {
      made = await chart(plot, () => ({ traces: traces(outcome, series), layout: layout(outcome) }),
      `Readings of ${named(outcome)} from ${stamp(from)} to ${stamp(end)}`, signal);
    });
    return [plot, h("button", { type: "button", onclick: () => made?.savePng(named(outcome)) }, "PNG")];
  }, signal);
}

function traces(outcome, answers) {
  const lines = answers.flatMap((answer, at) => answer.series.map((series) => ({
    type: "scatter", mode: "lines+markers", marker: { size: 3 }, line: { color: colour(COLOURS[at % COLOURS.length]), width: 1.5 },
    name: plain(`${answer.source} ${series.field}`), x: walls(series.time.map((time) => ms(time))), y: series.value ?? series.mean,
  })));
  const [first, last] = [0, -1].map((at) => ms(answers[0].series[0]?.time.at(at) ?? null));
  if (outcome.details.curve && first !== null) lines.push(...expectedTraces(outcome.details, first, last));
  return lines;
}

/** What a check of a curve expected from *first* to *last*, and how far from it is still no RED. */
function expectedTraces({ curve, zone, spread, red }, first, last) {
  const times = curve.times?.map((time) => ms(time)) ?? stepsOf(first, last);
  const expected = curve.times ? curve.expected : times.map((time) => between(curve.minutes, curve.expected, minuteOfDay(time, zone)));
  const edge = (sign) => expected.map((value) => value + sign * red * spread);
  const drawn = { type: "scatter", mode: "lines", x: walls(times), line: { width: 0 }, hoverinfo: "skip", showlegend: false };
  return [
    { ...drawn, y: edge(-1) },
    { ...drawn, y: edge(1), fill: "tonexty", fillcolor: colour("--band") },
    { type: "scatter", mode: "lines", name: "expected", x: walls(times), y: expected, line: { color: colour("--soft"), dash: "dash", width: 1.5 } },
  ];
}

function stepsOf(first, last) {
  const step = Math.max(MINUTE, (last - first) / 300);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, at) => first + at * step);
}

/** The value at *minute* of corners that go round the day. */
function between(minutes, values, minute) {
  const next = minutes.findIndex((one) => one > minute);
  const after = next === -1 ? 0 : next;
  const before = (after - 1 + minutes.length) % minutes.length;
  const length = (minutes[after] - minutes[before] + DAY_MINUTES) % DAY_MINUTES || DAY_MINUTES;
  const share = ((minute - minutes[before] + DAY_MINUTES) % DAY_MINUTES) / length;
  return values[before] + share * (values[after] - values[before]);
}

function layout(outcome) {
  const limits = ["min", "max", "yellow_min", "yellow_max"].filter((name) => typeof outcome.parameters[name] === "number");
  return {
    xaxis: { type: "date" }, showlegend: outcome.columns.length > 1 || Boolean(outcome.details.curve), legend: { orientation: "h", y: 1.12 },
    shapes: [
      ...limits.map((name) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: outcome.parameters[name], y1: outcome.parameters[name],
        line: { color: colour(name.startsWith("yellow") ? "--yellow" : "--red"), width: 1.5, dash: name.startsWith("yellow") ? "dot" : "dash" },
        label: { text: plain(name), textposition: "start", font: { size: 10, color: colour("--soft") } },
      })),
      { type: "rect", yref: "paper", y0: 0, y1: 1, x0: walls([ms(outcome.data_from)])[0], x1: walls([ms(outcome.data_time)])[0], fillcolor: colour("--band"), line: { width: 0 }, layer: "below" },
    ],
  };
}

/** How it was over time, as a strip: newest at the right. Each piece has its word for who points at it, and its sign. */
export function ribbon(outcomes) {
  const inOrder = outcomes.toReversed();
  return h("ol.ribbon", { "aria-label": "Statuses, oldest first" }, inOrder.map((one) =>
    h("li", {}, h(`a.status-${one.status.toLowerCase()}`, {
      href: link("checks", [one.check, String(one.subject)], { outcome: one.outcome }), title: `${one.status} from ${stamp(ms(one.ran))}`,
      "aria-label": `${one.status} from ${stamp(ms(one.ran))}`,
    }, { GREEN: "✓", YELLOW: "!", RED: "✕" }[one.status]))));
}

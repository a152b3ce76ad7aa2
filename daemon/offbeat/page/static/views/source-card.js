// The card of one series: its chart, what the daemon says of it, its findings as a list, its readings as a table, feedback.

import { a, fill, h, refill } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { sentence, table } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { count, number, scoreBadge, statusBadge } from "../lib/scores.js";
import { ms, stamp, timeNode, zoned } from "../lib/time.js";
import { seriesChart } from "./source-chart.js";
import { levelWords, rowsOf, seen } from "./source-data.js";
import { seriesFeedback } from "./source-feedback.js";

const FINDINGS_FEW = 6;
const ROWS_MOST = 500;

/**
 * The card of *field* of *source*: {node, draw(state), add(record), say(diagnosed, info), focus(id), end()}
 *
 * draw  shows {field, series, records, outcomes, range, said, chosen}; add  one finding more, at once
 */
export function seriesCard(source, field, hooks, signal) {
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  let [state, drawn, every] = [null, null, false];

  const plot = h("div.plot.source-plot");
  const level = h("small.level");
  const latest = h("span.latest");
  const says = h("p.about.says-line");
  const checks = h("div.row.checks-line");
  const list = h("div.source-findings");
  const rows = h("div");
  const details = h("details", { open: hooks.table() === field, ontoggle: () => drawRows() }, h("summary", {}, "Readings as a table"), rows);
  const title = h("h2", { id: `series-${encodeURIComponent(field)}` }, field);
  const node = h("section.card.source-card", { "aria-labelledby": title.id, dataset: { field } },
    h("div.row.between", {}, h("div.row.baseline", {}, title, latest),
      h("div.row", {}, level,
        h("button.small", { type: "button", "aria-label": `CSV of ${field}`, onclick: () => csv() }, "CSV"),
        h("button.small", { type: "button", "aria-label": `PNG of ${field}`, onclick: () => drawn?.savePng(`${source} ${field}`) }, "PNG"))),
    says, plot, checks, list, h("div.source-more", {}, details, seriesFeedback(source, field, () => state?.range, until)));

  async function draw(now) {
    state = now;
    if (drawn) await drawn.draw();
    else drawn = await seriesChart(plot, () => state, hooks, until);
    if (until.aborted) return;
    level.textContent = levelWords(state.series);
    drawList();
    drawChecks();
    drawRows();
  }

  function drawList() {
    const shownRecords = every ? state.records : state.records.slice(0, FINDINGS_FEW);
    const left = state.records.length - shownRecords.length;
    refill(list, state.records.length
      ? [h("ol", { "aria-label": `Findings of ${field}, strongest first` }, shownRecords.map((record) => h("li", {},
        h("a", { href: hooks.href(record.id), dataset: { finding: record.id }, "aria-current": state.chosen?.id === record.id ? "true" : null },
          scoreBadge(record.score), h("span.when", {}, timeNode(ms(record.time), stamp(ms(record.time)))), h("span.what", {}, seen(record)))))),
      left > 0 || every ? h("button.plain", { type: "button", "aria-expanded": String(every), onclick: () => {
        every = !every;
        drawList();
      } }, every ? "Only the strongest" : `All ${count(state.records.length)} findings`) : null]
      : h("p.about", {}, "No finding in this range."));
  }

  function drawChecks() {
    const last = state.outcomes.map((one) => one.outcomes.at(-1)).filter(Boolean);
    fill(checks, last.length ? [h("small", {}, "Checks:"), last.map((one) => h("span.row", {}, statusBadge(one.status), a(link("checks", [one.check]), one.check)))] : null);
  }

  function drawRows() {
    if (details.open !== (hooks.table() === field)) {
      if (details.open) hooks.tabled(field);
      else if (hooks.table() === field) hooks.tabled(null);
    }
    if (!details.open || !state?.series) return;
    const { series } = state;
    const found = rowsOf(series);
    const some = found.rows.slice(-ROWS_MOST).toReversed();
    refill(rows, table(`Readings of ${field}, newest first`, found.names.map((name, at) => ({
      title: name, numeric: at > 0, cell: (row) => (at ? number(row[at], 7) : timeNode(ms(row[0]), stamp(ms(row[0]), true))), value: (row) => row[at],
    })), some, { empty: "No reading in this range." }), found.rows.length > ROWS_MOST ? h("p.about", {}, `The newest ${count(ROWS_MOST)} of ${count(found.rows.length)}; the CSV has all.`) : null);
  }

  function csv() {
    if (!state?.series) return;
    const { names, rows: points } = rowsOf(state.series);
    const at = new Map(state.records.map((record) => [ms(record.time), record]));
    const marked = points.map((row) => {
      const record = at.get(ms(row[0]));
      at.delete(ms(row[0]));
      return [...row, record?.score ?? null, record?.id ?? null];
    });
    const middle = names.slice(1, -3).map((_, column) => (column ? () => null : (record) => record.actual)); // windows have no time of a finding
    for (const record of at.values()) {
      marked.push([record.time, ...middle.map((one) => one(record)), record.typical, record.lower, record.upper, record.score, record.id]);
    }
    saveCsv(`${source} ${field}`, [...names, "score", "finding"], marked.sort((x, y) => ms(x[0]) - ms(y[0])));
  }

  return {
    node, draw,
    async add(record) {
      if (!state || state.records.some((one) => one.id === record.id && one.score === record.score)) return;
      const others = state.records.filter((one) => one.id !== record.id);
      await draw({ ...state, records: [...others, record].sort((x, y) => y.score - x.score) });
    },
    say(diagnosed, info) {
      says.textContent = diagnosed ? sentence(zoned(diagnosed.says)) : "";
      fill(latest, info ? [number(info.last_value, 6), " ", h("small", {}, timeNode(ms(info.last_time)))] : null);
    },
    focus(id) {
      const found = list.querySelector(`[data-finding="${CSS.escape(id)}"]`);
      found?.focus();
      return Boolean(found);
    },
    end() {
      ending.abort();
    },
  };
}

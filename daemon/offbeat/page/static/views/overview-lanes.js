// The lanes: a row a source or job, a column a piece of time; the colour and the sign are the worst score in it.

import { a, h } from "../lib/dom.js";
import { link } from "../lib/route.js";
import { classOf } from "../lib/scores.js";
import { DAY, iso, moment, stamp } from "../lib/time.js";

const LABEL_EVERY_PX = 90;

/**
 * A grid over the lanes of *overview*, about *width* pixels wide. One cell is reached by Tab, the others from it by the arrows; Enter opens one.
 */
export function lanes(overview, rows, { live, width }) {
  const bins = overview.bins;
  const first = Date.parse(overview.start);
  const step = overview.bin_s * 1000;
  const times = Array.from({ length: bins }, (_, at) => first + at * step);
  const day = bins * step > DAY;
  const shownTimes = times.map((time) => (day ? stamp(time).slice(5) : stamp(time).slice(11)));
  const each = Math.max(1, Math.ceil((bins * LABEL_EVERY_PX) / width));
  const heads = [];
  for (let at = 0; at < bins; at += each) {
    heads.push(h("th", { scope: "colgroup", colspan: Math.min(each, bins - at) }, shownTimes[at]));
  }
  const open = (lane, at) => link(rows === "job" ? "jobs" : "sources", [lane.name], { start: iso(times[at]), end: iso(times[at] + step) });
  const body = overview.lanes.map((lane, row) => h("tr", {},
    h("th", { scope: "row", title: lane.name }, a(link(rows === "job" ? "jobs" : "sources", [lane.name]), lane.name), lane.live === false && rows === "source"
      ? h("small", { title: `last event ${moment(Date.parse(lane.last_event))}` }, " silent") : null),
    lane.scores.map((score, at) => cell(lane, score, at, row))));

  function cell(lane, score, at, row) {
    const when = `${lane.name}, ${shownTimes[at]}`;
    const common = { role: "gridcell", tabindex: row === 0 && at === bins - 1 ? "0" : "-1", dataset: { cell: `${lane.name}|${times[at]}`, at, row } };
    if (score === null) return h("td.gone", { ...common, "aria-label": `${when}: no event` });
    const found = classOf(score);
    const words = score > 0 ? `${Math.round(score)}, ${found.word}` : found.word;
    return h(`td.score-${found.name}`, { ...common, "aria-label": `${when}: ${words}`, title: score > 0 ? `${when}: ${words}` : undefined }, found.sign);
  }

  const grid = h("table.lanes", { role: "grid", "aria-label": `Worst scores, ${stamp(times[0])} to ${stamp(first + bins * step)}${live ? ", live" : ""}` },
    h("colgroup", {}, h("col.names"), times.map(() => h("col"))), h("thead", {}, h("tr", {}, h("td", {}), heads)), h("tbody", {}, body));
  grid.addEventListener("click", (event) => {
    const td = event.target.closest("td[data-at]");
    if (td) location.hash = open(overview.lanes[td.dataset.row], Number(td.dataset.at));
  });
  grid.addEventListener("keydown", (event) => {
    const td = event.target.closest("td[data-at]");
    if (!td) return;
    const [row, at] = [Number(td.dataset.row), Number(td.dataset.at)];
    const moves = { ArrowLeft: [row, at - 1], ArrowRight: [row, at + 1], ArrowUp: [row - 1, at], ArrowDown: [row + 1, at], Home: [row, 0], End: [row, bins - 1] };
    if (event.key === "Enter") location.hash = open(overview.lanes[row], at);
    else if (event.key in moves) {
      const [toRow, toAt] = moves[event.key];
      const next = grid.querySelector(`td[data-row="${toRow}"][data-at="${toAt}"]`);
      if (!next) return;
      td.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else return;
    event.preventDefault();
  });
  return h("div.scroll.lanes-scroll", {}, grid);
}

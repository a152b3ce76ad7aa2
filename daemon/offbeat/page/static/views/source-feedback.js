// Feedback: that a finding was normal, or that something was missed. Weighed before it is accepted; taken back at will.

import { all, send } from "../lib/api.js";
import { a, announce, fill, fresh, h } from "../lib/dom.js";
import { confirmed, failed, field, sentence, table, waiting } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { count, number } from "../lib/scores.js";
import { fromWall, iso, ms, stamp, timeNode, wall } from "../lib/time.js";

const accepted = new EventTarget(); // one series' list is told when a finding's panel changes it

/** Call *told* whenever feedback was accepted or taken back here, until *signal* is aborted. */
export function onFeedback(told, signal) {
  accepted.addEventListener("change", told, { signal });
}

/**
 * A form that weighs *verdict* of *about* (what POST /feedback takes), shows what it would do, and accepts it.
 *
 * about  an object, or a function that gives one when it is weighed
 */
export function feedbackForm({ title, verdict, about, weaker = null, extra = null }, signal) {
  const id = fresh("h");
  const below = weaker === null ? null : h("input", { type: "number", min: 1, max: 100, step: 1, value: weaker > 25 ? 25 : Math.max(1, Math.floor(weaker)) });
  const note = h("input", { maxlength: 1000, autocomplete: "off" });
  const effect = h("div", { "aria-live": "polite" });
  const document_ = () => ({
    verdict, ...(typeof about === "function" ? about() : about), ...(note.value ? { note: note.value } : {}), ...(below ? { below: Number(below.value) } : {}),
  });
  const weigh = h("button", { type: "submit" }, verdict === "normal" ? "This was normal: what would change?" : "What would change?");
  async function weighed(event) {
    event.preventDefault();
    fill(effect, waiting("Weighing"));
    const said = document_();
    try {
      const found = await send("POST", "/feedback?preview=true", said, signal);
      fill(effect, outcome(found, said));
    } catch (error) {
      if (error.name !== "AbortError") fill(effect, failed(error));
    }
  }
  function outcome(found, said) {
    const accept = h("button.primary", { type: "button", onclick: async () => {
      accept.disabled = true;
      try {
        const now = await send("POST", "/feedback", { ...said, ...(note.value ? { note: note.value } : {}) }, signal);
        fill(effect, inForce(now, signal));
        effect.querySelector("button")?.focus();
        announce(`${now.name} is in force`);
        accepted.dispatchEvent(new Event("change"));
      } catch (error) {
        accept.disabled = false;
        if (error.name !== "AbortError") fill(effect, failed(error));
      }
    } }, "Accept");
    return [
      h("p.sentence", {}, sentence(found.sentence)),
      h("p", {}, `The strongest would have scored ${number(found.reached_score, 3)}${found.estimated ? ", by estimate" : ""}; ${count(found.changed_count)} would have crossed ${number(found.target_score, 3)}, ${count(found.hidden_count)} would not have been kept`,
        found.revealed_count ? `, ${count(found.revealed_count)} more might have been found` : "", ". Past scores stay as they are."),
      found.records.length ? table("What past findings would have scored", [
        { title: "When", cell: (row) => timeNode(ms(row.time), stamp(ms(row.time))) },
        { title: "Said", numeric: true, cell: (row) => number(row.score, 3) },
        { title: "Now", numeric: true, cell: (row) => number(row.score_now, 3) },
        { title: "Then", numeric: true, cell: (row) => number(row.score_then, 3) },
      ], found.records.slice(0, 8)) : null,
      h("div.actions", {}, accept, h("button", { type: "button", onclick: () => {
        fill(effect);
        weigh.focus();
      } }, "Leave it")),
    ];
  }
  return h("form.feedback", { "aria-labelledby": id, onsubmit: weighed }, h("h3", { id }, title),
    extra, below ? field("Findings like it should score less than", below) : null, field("Why, for others", note), weigh, effect);
}

function inForce(one, signal) {
  const node = h("div.note", {}, h("p", {}, h("strong", {}, one.name), ` is in force: findings are made ${one.factor >= 1 ? `${number(one.factor, 3)} times weaker` : `${number(1 / one.factor, 3)} times stronger`} from here on.`),
    undo(one.name, signal, () => fill(node, h("p", {}, `${one.name} is taken back: what comes is scored as if it had never been.`))));
  return node;
}

function undo(name, signal, done) {
  return h("button", { type: "button", onclick: async () => {
    if (!await confirmed(`Take ${name} back? What comes later is scored without it.`, "Take it back")) return;
    try {
      await send("DELETE", `/feedback/${encodeURIComponent(name)}`, undefined, signal);
      announce(`${name} is taken back`);
      done();
      accepted.dispatchEvent(new Event("change"));
    } catch (error) {
      if (error.name !== "AbortError") announce(error.message);
    }
  } }, "Undo");
}

/** Of a series: what is in force, and a form for what was missed. *range* gives what the chart shows. */
export function seriesFeedback(source, name, range, signal) {
  const body = h("div");
  const details = h("details", { ontoggle: () => details.open && draw() }, h("summary", {}, "Feedback"), body);
  async function draw() {
    if (!body.hasChildNodes()) fill(body, waiting());
    try {
      const found = (await all("/feedback", "feedback", { source, limit: 1000 }, signal, 1000)).filter((one) => one.field === name);
      const shown = range() ?? { start: Date.now() - 3_600_000, end: Date.now() };
      const from = h("input", { type: "datetime-local", step: 1, value: wall(shown.start).slice(0, 19) });
      const to = h("input", { type: "datetime-local", step: 1, value: wall(shown.end + 999).slice(0, 19) });
      fill(body,
        table(`Feedback on ${name}`, [
          { title: "Name", cell: (row) => row.name },
          { title: "Said", cell: (row) => [row.verdict, row.note ? `: ${row.note}` : ""].join("") },
          { title: "Of", cell: (row) => a(link("sources", [source], { start: row.start, end: row.end }), stamp(ms(row.start))) },
          { title: "Factor", numeric: true, cell: (row) => number(row.factor, 3) },
          { title: "Hidden, revealed", numeric: true, cell: (row) => `${count(row.hidden_count)}, ${count(row.revealed_count)}` },
          { title: "State", cell: (row) => (row.undone ? "taken back" : undo(row.name, signal, draw)) },
        ], found, { empty: "Nothing was said of this series." }),
        feedbackForm({
          title: "Was something missed?", verdict: "missed", extra: h("div.fields", {}, field("From", from), field("To", to)),
          about: () => ({ source, field: name, start: iso(fromWall(from.value)), end: iso(fromWall(to.value)) }),
        }, signal));
    } catch (error) {
      if (error.name !== "AbortError") fill(body, failed(error, draw));
    }
  }
  accepted.addEventListener("change", () => details.open && draw(), { signal });
  return details;
}

// Alerts that are active, or were; one of them in full; that somebody knows of it.

import { get, send } from "../lib/api.js";
import { a, announce, fill, h } from "../lib/dom.js";
import { again } from "../lib/again.js";
import { saveCsv } from "../lib/download.js";
import { across, failed, field, nothing, section, shown, table } from "../lib/parts.js";
import { orderOf, place } from "../lib/place.js";
import { link } from "../lib/route.js";
import { STATUSES, classOf, count, scoreBadge, statusBadge } from "../lib/scores.js";
import { ago, ms, stamp, timeNode } from "../lib/time.js";

const ROWS = 50;
const KNOWN_AS = "offbeat.known-as";

/** The source of a record, out of its id: job:detector:source:field:time, where a colon of a name is %3A. */
export function sourceOf(record) {
  try {
    return decodeURIComponent(record.split(":")[2] ?? "") || null;
  } catch {
    return null;
  }
}

/** A link to what was found. */
export function findingLink(record, text = "See why") {
  const source = record && sourceOf(record);
  return source ? a(link("sources", [source], { finding: record }), text) : null;
}

/** What an alert is of: the names that it is grouped by. */
export function groupOf(alert) {
  return [alert.source, alert.field, alert.check && `check ${alert.check}`, alert.job && `job ${alert.job}`].filter(Boolean).join(", ") || `all ${alert.status ? "checks" : "findings"} of the rule`;
}

/** How bad it is: the score of findings, or what a check says. */
function badge(one) {
  return one.status ? statusBadge(one.status) : scoreBadge(one.score);
}

/** A link to why: to what was found, or to the check. */
function whyLink(alert) {
  return alert.status ? alert.check && a(link("checks", [alert.check]), "See the check") : findingLink(alert.record);
}

/** The alerts in one *state*, newest first. */
export function alerts(body, context, state) {
  const { signal } = context;
  const at = place(context);
  const wrong = h("div");
  const board = h("div");
  let found = [];
  const limit = () => Math.min(Number(at.get("rows")) || ROWS, 1_000);
  const refresh = shown(board, async () => {
    const page = await get("/alerts", { state, limit: limit(), rule: at.get("rule"), source: at.get("source") }, signal);
    found = page.alerts;
    return () => draw(page.next_cursor);
  }, signal);
  const more = () => {
    at.put({ rows: limit() + ROWS });
    refresh();
  };
  const draw = (next) => {
    const made = state === "active" ? cards() : rows();
    return [made, next ? h("div.pages", {}, h("button", { type: "button", onclick: more }, "More")) : null];
  };
  again(context, refresh, { kinds: ["record", "status"], concerns: (document, kind) => kind === "record" || document.status?.startsWith("alert_") });

  function cards() {
    if (!found.length) return nothing("No alert is active.", h("p", {}, "Rules say which findings raise one: ", a(link("alerts", ["rules"]), "the rules"), "."));
    return h("ul.alerts", {}, found.map((alert) => {
      // What somebody is writing stays as it is.
      const open = board.querySelector(`[data-alert="${alert.number}"]:has(form)`);
      return h("li", {}, open && !alert.acknowledged ? open : card(alert, { refresh, wrong }));
    }));
  }

  function rows() {
    return table("Alerts that are over", [
      { title: "No.", numeric: true, value: (one) => one.number, cell: (one) => a(link("alerts", [String(one.number)]), String(one.number)) },
      { title: "Score", numeric: true, value: (one) => one.score, cell: badge },
      { title: "Of", value: groupOf, cell: groupOf },
      { title: "Raised", value: (one) => one.raised, cell: (one) => timeNode(ms(one.raised)) },
      { title: "Cleared", value: (one) => one.cleared, cell: (one) => [timeNode(ms(one.cleared)), one.cleared_by === "rule" ? h("small", {}, " with its rule") : null] },
      { title: "Rule", value: (one) => one.rule, cell: (one) => one.rule },
      { title: "What", cell: (one) => [one.sentence, " ", whyLink(one)] },
      { title: "Acknowledged", cell: known },
    ], found, { empty: "No alert has ended yet.", sort: orderOf(at.get("sort")), sorted: (by) => at.put({ sort: by.join(",") }) });
  }

  fill(body, h("div.row.between", {}, filterWords(at), h("button", { type: "button", onclick: () => csv(`alerts-${state}`, found) }, "CSV")), wrong, board);
}

function filterWords(at) {
  const given = ["rule", "source"].filter((name) => at.get(name)).map((name) => `${name} ${at.get(name)}`);
  return h("p.about", {}, given.length ? [`Only of ${given.join(", ")}. `, a(link("alerts"), "All")] : "Newest first.");
}

function known(alert) {
  if (!alert.acknowledged) return "–";
  return [`by ${alert.acknowledged_by}, `, timeNode(ms(alert.acknowledged)), alert.acknowledged_comment ? `: ${alert.acknowledged_comment}` : ""];
}

/** An alert that is active. */
function card(alert, { refresh, wrong }) {
  return h("article.alert", { dataset: { alert: alert.number }, "aria-label": `Alert ${alert.number}`, style: { "border-left-color": `var(--${alert.status ? STATUSES[alert.status].name : `score-${classOf(alert.score).name}`})` } },
    h("div.row", {}, badge(alert), h("h2", {}, groupOf(alert)), h("span.soft", {}, "since ", timeNode(ms(alert.raised), `${stamp(ms(alert.raised))}, ${ago(ms(alert.raised))}`))),
    h("p", {}, alert.sentence, " ", whyLink(alert)),
    h("p.about", {}, a(link("alerts", [String(alert.number)]), `Alert ${alert.number}`), `, rule ${alert.rule}, ${count(alert.finding_count)} ${alert.status ? "outcome" : "finding"}${alert.finding_count === 1 ? "" : "s"}, last `,
      timeNode(ms(alert.last_finding), ago(ms(alert.last_finding))), "; ", told(alert)),
    alert.acknowledged ? h("p.known", {}, h("span", { "aria-hidden": "true" }, "✓ "), "Acknowledged ", known(alert)) : null,
    h("div.row", {}, alert.acknowledged ? null : acknowledge(alert, { refresh, wrong }),
      h("a.button", { href: link("alerts", ["silences"], { source: alert.source, field: alert.field, job: alert.job, rule: alert.rule }), "aria-label": `Silence what is like alert ${alert.number}` }, "Silence …")));
}

function told(alert) {
  return alert.told_count ? [`told ${count(alert.told_count)} ×, last `, timeNode(ms(alert.told))] : ["nobody was told: ", a(link("alerts", ["suppressed"], { rule: alert.rule }), "why")];
}

/** A button that becomes a small form: who knows of it, and what they say. */
function acknowledge(alert, { refresh, wrong }) {
  const node = h("div.acknowledge");
  const begin = h("button", {
    type: "button", "aria-label": `Acknowledge alert ${alert.number}`, onclick: () => {
      const name = h("input", { required: true, maxlength: 100, value: knownAs(), autocomplete: "name" });
      const comment = h("input", { maxlength: 1000, size: 30 });
      fill(node, h("form.row", {
        onsubmit: async (event) => {
          event.preventDefault();
          try {
            await send("POST", `/alerts/${alert.number}/acknowledge`, { name: name.value, ...(comment.value ? { comment: comment.value } : {}) });
            keepName(name.value);
            announce(`Alert ${alert.number} is acknowledged`);
            fill(wrong);
          } catch (error) {
            fill(wrong, failed(error));
          }
          fill(node);
          refresh();
        },
        onkeydown: (event) => event.key === "Escape" && (fill(node, begin), begin.focus()),
      }, across("Your name", name), across("Comment", comment), h("button.primary", {}, "Acknowledge")));
      (name.value ? comment : name).focus();
    },
  }, "Acknowledge");
  return fill(node, begin);
}

/** Who the reader said they are, on this browser. */
export function knownAs() {
  try {
    return localStorage.getItem(KNOWN_AS) ?? "";
  } catch {
    return "";
  }
}

export function keepName(name) {
  try {
    localStorage.setItem(KNOWN_AS, name);
  } catch { /* it is asked again */ }
}

/** One alert with its findings and what became of its notifications. */
export function oneAlert(body, context, number) {
  const { signal } = context;
  const wrong = h("div");
  const node = h("div");
  let seen = "";
  const refresh = shown(node, async () => {
    const alert = await get(`/alerts/${number}`, {}, signal);
    const text = JSON.stringify(alert);
    if (text === seen) return undefined;
    seen = text;
    return [
      section(groupOf(alert),
        h("p", {}, badge(alert), ` ${alert.sentence} `, whyLink(alert)),
        h("dl.facts", {}, [
          ["State", alert.state === "active" ? "● active" : "○ cleared"], ["Rule", a(link("alerts", ["rules", "edit", alert.rule]), alert.rule)], ["Raised", timeNode(ms(alert.raised))],
          [alert.status ? "Last outcome" : "Last finding", timeNode(ms(alert.last_finding))], ["Cleared", alert.cleared ? [timeNode(ms(alert.cleared)), ` by ${alert.cleared_by}`] : "not yet"],
          ["Told", told(alert)], ["Acknowledged", known(alert)],
        ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
        alert.state === "active" && !alert.acknowledged ? acknowledge(alert, { refresh, wrong }) : null),
      alert.status ? section("Outcomes", table("Outcomes of this alert", [
        { title: "Status", value: (one) => one.status, cell: (one) => statusBadge(one.status) },
        { title: "Before", value: (one) => one.was, cell: (one) => statusBadge(one.was) },
        { title: "When", value: (one) => one.ran, cell: (one) => timeNode(ms(one.ran)) },
        { title: "Check", value: (one) => one.check, cell: (one) => a(link("checks", [one.check, String(one.subject)], { outcome: one.outcome }), one.check) },
        { title: "Of", value: (one) => one.source, cell: (one) => one.columns.map((column) => `${column.field} of ${column.source}`).join(", ") },
        { title: "What", cell: (one) => one.message },
      ], alert.outcomes)) : section("Findings", table("Findings of this alert", [
        { title: "Score", numeric: true, value: (one) => one.score, cell: (one) => scoreBadge(one.score) },
        { title: "When", value: (one) => one.time, cell: (one) => timeNode(ms(one.time)) },
        { title: "Of", value: (one) => one.source, cell: (one) => `${one.field} of ${one.source}` },
        { title: "What", cell: (one) => [one.sentence, " ", findingLink(one.record)] },
      ], alert.findings)),
      section("Notifications", table("Notifications of this alert", [
        { title: "Kind", cell: (one) => one.kind }, { title: "Sink", cell: (one) => one.sink }, { title: "State", cell: (one) => one.state },
        { title: "Attempts", numeric: true, cell: (one) => count(one.attempts) }, { title: "Created", cell: (one) => timeNode(ms(one.created)) }, { title: "Error", cell: (one) => one.error || "–" },
      ], alert.deliveries, { empty: "Nothing was sent of it." })),
    ];
  }, signal);
  fill(body, wrong, node);
  again(context, refresh, { kinds: ["record", "status"] });
}

function csv(name, rows) {
  saveCsv(name, ["number", "state", "rule", "job", "source", "field", "check", "status", "raised", "last_finding", "cleared", "score", "sentence", "findings", "told", "acknowledged", "by", "comment"],
    rows.map((one) => [one.number, one.state, one.rule, one.job, one.source, one.field, one.check, one.status, one.raised, one.last_finding, one.cleared, one.score, one.sentence, one.finding_count, one.told_count,
      one.acknowledged, one.acknowledged_by, one.acknowledged_comment]));
}

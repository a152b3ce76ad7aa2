// What nobody was told and who or what did it; notifications that were given up.

import { get, send } from "../lib/api.js";
import { a, announce, fill, h } from "../lib/dom.js";
import { again } from "../lib/again.js";
import { saveCsv } from "../lib/download.js";
import { choose, failed, shown, table } from "../lib/parts.js";
import { place } from "../lib/place.js";
import { link } from "../lib/route.js";
import { count, scoreBadge } from "../lib/scores.js";
import { ms, timeNode } from "../lib/time.js";
import { findingLink } from "./alerts-list.js";

const ROWS = 100;
const REASONS = {
  silence: "a silence", calendar: "a calendar", already_active: "told already", hysteresis: "between the thresholds", repeat_interval: "told a short while ago",
  acknowledged: "acknowledged", no_sink: "no sink", never_told: "its beginning was not told", too_many_active: "too many active",
  maintenance: "maintenance",
};

export function suppressed(body, context) {
  const { signal } = context;
  const at = place(context);
  const board = h("div");
  let rows = [];
  let seen = "";
  const limit = () => Math.min(Number(at.get("rows")) || ROWS, 1_000);
  const refresh = shown(board, async () => {
    const found = await get("/alerts/suppressed", { limit: limit(), reason: at.get("reason"), rule: at.get("rule"), source: at.get("source") }, signal);
    const text = JSON.stringify(found);
    if (text === seen) return undefined;
    seen = text;
    rows = found.suppressed;
    return [
      table("What nobody was told", [
        { title: "When", value: (one) => one.time, cell: (one) => timeNode(ms(one.time)) },
        { title: "What", cell: (one) => [one.kind, one.source ? `, ${one.source} ` : " ", one.check ? a(link("checks", [one.check]), `check ${one.check}`) : null, findingLink(one.record, "the finding")] },
        { title: "Score", numeric: true, value: (one) => one.score, cell: (one) => (one.score === null ? "–" : scoreBadge(one.score)) },
        { title: "Not told for", value: (one) => one.reason, cell: (one) => REASONS[one.reason] ?? one.reason },
        { title: "Why", cell: (one) => one.why },
        { title: "Rule", value: (one) => one.rule, cell: (one) => one.rule },
        { title: "Alert", numeric: true, cell: (one) => (one.alert === null ? "–" : a(link("alerts", [String(one.alert)]), String(one.alert))) },
      ], rows, { empty: "Whoever is to know was told of everything." }),
      found.dropped ? h("p.about", {}, `${count(found.dropped)} older rows are no longer kept.`) : null,
      found.next_cursor ? h("div.pages", {}, h("button", { type: "button", onclick: () => {
        at.put({ rows: limit() + ROWS });
        refresh();
      } }, "More")) : null,
    ];
  }, signal);
  again(context, refresh, { kinds: ["record", "status"] });
  fill(body, h("div.row.between", {},
    h("div.row", {}, choose("Reason", [["", "For any reason"], ...Object.entries(REASONS)], at.get("reason") ?? "", (reason) => {
      at.put({ reason });
      refresh();
    }), at.get("rule") ? h("span.about", {}, `Only of rule ${at.get("rule")}. `, a(link("alerts", ["suppressed"]), "All")) : null),
    h("button", {
      type: "button", onclick: () => saveCsv("alerts-not-told", ["time", "kind", "source", "check", "score", "reason", "by", "why", "rule", "alert", "record"],
        rows.map((one) => [one.time, one.kind, one.source, one.check, one.score, one.reason, one.by, one.why, one.rule, one.alert, one.record])),
    }, "CSV")), board);
}

export function undelivered(body, context) {
  const { signal } = context;
  const board = h("div");
  const wrong = h("div");
  let rows = [];
  let seen = "";
  const refresh = shown(board, async () => {
    const found = await get("/alerts/dead-letters", { limit: 1_000 }, signal);
    const text = JSON.stringify(found);
    if (text === seen) return undefined;
    seen = text;
    rows = found.dead_letters;
    return [table("Notifications that were given up", [
      { title: "No.", numeric: true, value: (one) => one.delivery, cell: (one) => one.delivery },
      { title: "Sink", value: (one) => one.sink, cell: (one) => one.sink },
      { title: "What", cell: (one) => [`${one.kind}, `, a(link("alerts", [String(one.alert)]), `alert ${one.alert}`)] },
      { title: "Attempts", numeric: true, value: (one) => one.attempts, cell: (one) => count(one.attempts) },
      { title: "Given up", value: (one) => one.ended, cell: (one) => timeNode(ms(one.ended)) },
      { title: "Error", cell: (one) => one.error },
      { title: "What can be done", hidden: true, cell: (one) => h("button", { type: "button", onclick: () => retry(one), "aria-label": `Send delivery ${one.delivery} again` }, "Send again") },
    ], rows, { empty: "Nothing was given up." }),
    found.dropped ? h("p.about", {}, `${count(found.dropped)} older ones are no longer kept.`) : null];
  }, signal);
  const retry = async (one) => {
    try {
      await send("POST", `/alerts/dead-letters/${one.delivery}/retry`);
      announce(`Delivery ${one.delivery} is sent again`);
      fill(wrong);
    } catch (error) {
      fill(wrong, failed(error));
    }
    refresh();
  };
  again(context, refresh, { kinds: ["status"] });
  fill(body, h("div.row.between", {}, h("p.about", {}, "After as many attempts as its sink allows, a notification is given up and waits here."), h("button", {
    type: "button", onclick: () => saveCsv("alerts-not-delivered", ["delivery", "id", "alert", "kind", "sink", "attempts", "created", "ended", "error"],
      rows.map((one) => [one.delivery, one.id, one.alert, one.kind, one.sink, one.attempts, one.created, one.ended, one.error])),
  }, "CSV")), wrong, board);
}

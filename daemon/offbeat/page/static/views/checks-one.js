// One check: what it asks, how each of its subjects is, what it said lately.

import { get, part, send } from "../lib/api.js";
import { a, fill, h } from "../lib/dom.js";
import { confirmed, failed, heading, section, sentence, shown, table } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { statusBadge } from "../lib/scores.js";
import { ago, ms, span, timeNode } from "../lib/time.js";
import { acknowledgement } from "./checks-acknowledge.js";
import { csv, given, named } from "./checks-words.js";

export function one(main, context, id) {
  const { signal, stream, go } = context;
  const head = h("div");
  const now = h("div");
  const past = h("div");
  const trouble = h("div");
  fill(main, head, trouble, section("Now", now), section("What it said, newest first", past));

  const acted = (act, then = () => reload()) => async () => {
    try {
      await act();
      fill(trouble);
      then();
    } catch (error) {
      fill(trouble, failed(error));
    }
  };
  const heads = shown(head, async () => {
    const check = await get(`/checks/${part(id)}`, {}, signal);
    return [heading(id, check.description || null, statusBadge(check.status),
      h("button", { type: "button", onclick: acted(() => send("POST", `/checks/${part(id)}/run`, {})) }, "Run now"),
      h("button", { type: "button", onclick: acted(() => send("PUT", `/checks/${part(id)}`, given(check, { enabled: !check.enabled }))) },
        check.enabled ? "Switch off" : "Switch on"),
      h("a.button", { href: link("checks", [id, "edit"]) }, "Edit"),
      h("button.danger", {
        type: "button", onclick: async () => {
          if (!(await confirmed(`Delete the check ${id} with its history?`))) return;
          await acted(() => send("DELETE", `/checks/${part(id)}`), () => go("checks"))();
        },
      }, "Delete")),
    section("What it asks", definition(check))];
  }, signal);
  const present = shown(now, async () => {
    const { outcomes } = await get("/status", { check: id, limit: 1000 }, signal);
    return table("Subjects", [
      { title: "Status", cell: (row) => statusBadge(row.status), value: (row) => row.status },
      { title: "Of", cell: (row) => a(link("checks", [id, String(row.subject)]), named(row)), value: named },
      { title: "What it says", cell: (row) => sentence(row.message) },
      { title: "Since", cell: (row) => timeNode(ms(row.since), ago(ms(row.since))), value: (row) => row.since },
      { title: "Ran", cell: (row) => timeNode(ms(row.ran), ago(ms(row.ran))), value: (row) => row.ran },
      { title: "Took", numeric: true, cell: (row) => `${row.duration_ms.toFixed(1)} ms`, value: (row) => row.duration_ms },
      { title: "Acknowledged", cell: (row) => acknowledgement(row, reload) },
    ], outcomes, { empty: "It has judged nothing yet: no series fits its patterns, or none of them sent anything." });
  }, signal);
  const history = shown(past, async () => {
    const { outcomes } = await get("/outcomes", { check: id, limit: 100 }, signal);
    return [h("button", { type: "button", onclick: () => csv(outcomes) }, "CSV"), outcomeHistory(outcomes)];
  }, signal);
  const reload = () => {
    heads();
    present();
    history();
  };
  stream.on("status", ({ outcome }) => outcome?.check === id && reload(), signal);
  stream.addEventListener("resumed", reload, { signal });
}

/** A table of outcomes that were stored; each leads to the data behind it. */
export function outcomeHistory(outcomes) {
  return table("Outcomes", [
    { title: "Ran", cell: (row) => a(link("checks", [row.check, String(row.subject)], { outcome: row.outcome }), timeNode(ms(row.ran))), value: (row) => row.ran },
    { title: "Status", cell: (row) => statusBadge(row.status) },
    { title: "Of", cell: named },
    { title: "What it said", cell: (row) => sentence(row.message) },
    { title: "Data of", cell: (row) => timeNode(ms(row.data_time)) },
  ], outcomes, { empty: "Nothing yet." });
}

function definition(check) {
  const bound = check.series.map((one) => (one.columns
    ? one.columns.map((column) => `${column.source} ${column.field}`).join(" with ")
    : `${one.source} ${one.fields ? one.fields.join(" with ") : one.field}`));
  return h("dl.facts", {},
    h("dt", {}, "Kind"), h("dd", {}, check.kind),
    Object.entries(check.parameters).map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))]),
    h("dt", {}, "Series"), h("dd", {}, bound.map((one) => h("div", {}, one))),
    h("dt", {}, "Runs"), h("dd", {}, `after new readings, at most every ${span(check.interval_s * 1000)}; ${check.time_limit_s} s at most`),
    h("dt", {}, "Becomes worse"), h("dd", {}, `after ${check.raise_after} in a row`),
    h("dt", {}, "Becomes better"), h("dd", {}, `after ${check.clear_after} in a row`),
    h("dt", {}, "It is"), h("dd", {}, check.enabled ? "switched on" : "switched off"));
}

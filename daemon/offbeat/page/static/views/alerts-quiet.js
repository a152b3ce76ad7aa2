// When nobody is told: silences, which somebody gives for a while, and the windows of calendars.

import { all, part, send } from "../lib/api.js";
import { announce, fill, h } from "../lib/dom.js";
import { again } from "../lib/again.js";
import { saveCsv } from "../lib/download.js";
import { confirmed, failed, field, section, shown, sourceInput, table } from "../lib/parts.js";
import { showWrong } from "../lib/refused.js";
import { count } from "../lib/scores.js";
import { DAY, HOUR, MINUTE, ago, fromWall, iso, ms, span, stamp, timeNode, wall } from "../lib/time.js";
import { keepName, knownAs } from "./alerts-list.js";
import { listOf } from "./alerts-rules.js";

const LENGTHS = [["30 min", 30 * MINUTE], ["2 h", 2 * HOUR], ["8 h", 8 * HOUR], ["1 d", DAY], ["7 d", 7 * DAY]];
const OF = ["rules", "jobs", "sources", "fields"];

export function silences(body, context) {
  const { signal, query } = context;
  const board = h("div");
  const wrong = h("div");
  let rows = [];
  const refresh = shown(board, async () => {
    const found = await all("/silences", "silences", { limit: 500 }, signal, 1_000);
    rows = found;
    return table("Silences", [
      { title: "No.", numeric: true, value: (one) => one.silence, cell: (one) => one.silence },
      { title: "State", value: (one) => one.state, cell: (one) => h(`span.badge.silence-${one.state === "active" ? "on" : "off"}`, {}, `${one.state === "active" ? "● " : "○ "}${one.state}`) },
      { title: "Of", cell: (one) => ofWords(one) },
      { title: "From", value: (one) => one.from, cell: (one) => timeNode(ms(one.from)) },
      { title: "Until", value: (one) => one.until, cell: (one) => [timeNode(ms(one.until), stamp(ms(one.until))), one.state === "active" ? h("small", {}, ` ${ago(ms(one.until))}`) : null] },
      { title: "Why", cell: (one) => one.reason },
      { title: "By", value: (one) => one.who, cell: (one) => one.who },
      {
        title: "What can be done", hidden: true, cell: (one) => (one.state === "over" ? null
          : h("button", { type: "button", onclick: () => end(one), "aria-label": `End silence ${one.silence} now` }, "End now")),
      },
    ], rows, { empty: "There was no silence yet." });
  }, signal);
  const end = async (one) => {
    try {
      await send("DELETE", `/silences/${one.silence}`);
      announce(`Silence ${one.silence} is over`);
      fill(wrong);
    } catch (error) {
      fill(wrong, failed(error));
    }
    refresh();
  };
  again(context, refresh, { kinds: ["status"] });
  fill(body,
    section("Silence for a while", silenceForm(query, signal, refresh)),
    section("Silences", h("div.row.between", {}, h("p.about", {}, "One that is over stays listed, so that what it hid can be explained."), h("button", {
      type: "button", onclick: () => saveCsv("silences", ["silence", "state", "from", "until", "reason", "who", ...OF],
        rows.map((one) => [one.silence, one.state, one.from, one.until, one.reason, one.who, ...OF.map((name) => one[name].join(" "))])),
    }, "CSV")), wrong, board));
}

function ofWords(one) {
  const every = (given) => !given.length || (given.length === 1 && given[0] === "*");
  return OF.filter((name) => !every(one[name])).map((name) => `${name} ${one[name].join(", ")}`).join("; ") || "everything";
}

function silenceForm(query, signal, refresh) {
  const errors = h("div");
  const now = Date.now();
  const input = (name, attributes = {}) => h("input", { autocomplete: "off", spellcheck: "false", dataset: { place: name }, ...attributes });
  const [sources, offered] = sourceInput({ value: query.get("source") ?? "", dataset: { place: "sources" }, placeholder: "all" }, signal);
  const inputs = {
    sources, fields: input("fields", { value: query.get("field") ?? "", placeholder: "all" }), jobs: input("jobs", { value: query.get("job") ?? "", placeholder: "all" }),
    rules: input("rules", { value: query.get("rule") ?? "", placeholder: "all" }), reason: input("reason", { required: true, maxlength: 500 }),
    who: input("who", { required: true, value: knownAs(), autocomplete: "name" }),
    until: input("until", { type: "datetime-local", value: wall(now + 2 * HOUR, false) }),
  };
  const parts = h("div");
  fill(parts,
    h("div.fields", {},
      h("div.field", {}, [...field("Sources", inputs.sources, "names or patterns, a comma between").childNodes], offered),
      field("Fields", inputs.fields), field("Jobs", inputs.jobs), field("Rules", inputs.rules, "by their ids"),
      field("Why", inputs.reason), field("Your name", inputs.who), field("Until", inputs.until)),
    h("div.segments", { role: "group", "aria-label": "For how long" }, LENGTHS.map(([text, length]) =>
      h("button", { type: "button", onclick: () => { inputs.until.value = wall(Date.now() + length, false); } }, text))));
  return h("form", {
    novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      fill(errors);
      try {
        const made = await send("POST", "/silences", {
          reason: inputs.reason.value, who: inputs.who.value, until: iso(fromWall(inputs.until.value)),
          ...Object.fromEntries(OF.map((name) => [name, listOf(inputs[name].value)]).filter(([, given]) => given.length)),
        });
        keepName(inputs.who.value);
        announce(`Silence ${made.silence} until ${stamp(ms(made.until))}`);
        inputs.reason.value = "";
        refresh();
      } catch (error) {
        showWrong(error instanceof RangeError ? { message: "until is no time", where: { field: "until" } } : error, parts, errors);
      }
    },
  }, errors, parts, h("div.actions", {}, h("button.primary", {}, "Silence")));
}

export function calendars(body, context) {
  const { signal } = context;
  const board = h("div");
  const wrong = h("div");
  const refresh = shown(board, async () => {
    const found = await all("/calendars", "calendars", { limit: 500 }, signal, 1_000);
    return table("Calendars", [
      { title: "Id", value: (one) => one.id, cell: (one) => [h("b", {}, one.id), one.description ? h("div.about", {}, one.description) : null] },
      { title: "Windows", cell: (one) => h("ul.examples", {}, one.windows.slice(0, 6).map((window) => h("li", {}, windowWords(window))), one.windows.length > 6 ? h("li", {}, `and ${count(one.windows.length - 6)} more`) : null) },
      { title: "Created", value: (one) => one.created, cell: (one) => timeNode(ms(one.created)) },
      { title: "What can be done", hidden: true, cell: (one) => h("button.danger", { type: "button", onclick: () => remove(one), "aria-label": `Delete calendar ${one.id}` }, "Delete") },
    ], found, { empty: "There is no calendar. `offbeat calendar import FILE.ics` brings one." });
  }, signal);
  const remove = async (one) => {
    if (!await confirmed(`Delete calendar ${one.id}?`)) return;
    try {
      await send("DELETE", `/calendars/${part(one.id)}`);
      announce(`Calendar ${one.id} is deleted`);
      fill(wrong);
    } catch (error) {
      fill(wrong, failed(error));
    }
    refresh();
  };
  fill(body, h("p.about", {}, "In the windows of a calendar that a rule names, nobody is told."), wrong, board);
}

const WEEKDAYS = { MO: "Mon", TU: "Tue", WE: "Wed", TH: "Thu", FR: "Fri", SA: "Sat", SU: "Sun" };

function windowWords(window) {
  const length = span(1000 * (window.wall_s || window.exact_s));
  const [day, time] = window.start.split("T");
  const zone = window.time_zone && window.time_zone !== "UTC" ? ` ${window.time_zone}` : " UTC";
  const days = /^FREQ=WEEKLY;BYDAY=([A-Z,]+)$/.exec(window.repeat)?.[1].split(",").map((one) => WEEKDAYS[one] ?? one).join(", ");
  const when = window.repeat === "FREQ=DAILY" ? `daily from ${time.slice(0, 5)}` : days ? `${days} from ${time.slice(0, 5)}` : window.repeat ? `from ${day} ${time.slice(0, 5)}, ${window.repeat}` : `${day} ${time.slice(0, 5)}`;
  return `${window.title ? `${window.title}: ` : ""}${when}${zone}, for ${length}`;
}

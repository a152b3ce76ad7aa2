// Maintenance: windows in which what checks say counts for nothing.

import { get, send } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { confirmed, failed, field, section, shown, table } from "../lib/parts.js";
import { HOUR, fromWall, iso, ms, timeNode, wall } from "../lib/time.js";
import { zone } from "../lib/prefs.js";

/** All windows, and a form for another. */
export function maintenance(body, { signal }) {
  const list = h("div");
  const again = shown(list, async () => {
    const found = await get("/maintenance", {}, signal);
    return table("Maintenance", [
      { title: "From", cell: (row) => timeNode(ms(row.from)), value: (row) => row.from },
      { title: "Until", cell: (row) => timeNode(ms(row.until)), value: (row) => row.until },
      { title: "Checks", cell: (row) => row.checks.join(", ") },
      { title: "Sources", cell: (row) => row.sources.join(", ") },
      { title: "Why", cell: (row) => row.reason },
      { title: "Who", cell: (row) => row.who },
      {
        title: "End it", hidden: true, cell: (row) => h("button", {
          type: "button", onclick: async () => {
            if (!(await confirmed(`End the maintenance “${row.reason}” now?`, "End it"))) return;
            await send("DELETE", `/maintenance/${row.number}`);
            again();
          },
        }, "End"),
      },
    ], found.maintenance, { empty: "Nothing is in maintenance." });
  }, signal);
  fill(body, section("Windows", list), section("Another window", newWindow(again)));
}

function newWindow(again) {
  const inputs = {
    checks: h("input", { value: "*", required: true }), sources: h("input", { value: "*", required: true }),
    from: h("input", { type: "datetime-local", value: wall(Date.now(), false), required: true }),
    until: h("input", { type: "datetime-local", value: wall(Date.now() + HOUR, false), required: true }),
    reason: h("input", { required: true, maxlength: 1000 }), who: h("input", { required: true, maxlength: 100, autocomplete: "name" }),
  };
  const trouble = h("div");
  const patterns = (input) => input.value.split(",").map((one) => one.trim()).filter(Boolean);
  return h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      try {
        await send("POST", "/maintenance", {
          checks: patterns(inputs.checks), sources: patterns(inputs.sources), from: iso(fromWall(inputs.from.value)),
          until: iso(fromWall(inputs.until.value)), reason: inputs.reason.value, who: inputs.who.value,
        });
        fill(trouble);
        inputs.reason.value = "";
        again();
      } catch (error) {
        fill(trouble, failed(error));
      }
    },
  }, h("div.fields", {},
    field("Checks", inputs.checks, "Names or patterns, as pump-*; commas between them."), field("Sources", inputs.sources, "Names or patterns."),
    field("From", inputs.from, zone()), field("Until", inputs.until, zone()), field("Why", inputs.reason), field("Your name", inputs.who)),
  trouble, h("button.primary", { type: "submit" }, "Begin maintenance"));
}

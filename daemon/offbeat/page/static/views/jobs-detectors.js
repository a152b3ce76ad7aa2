// The detectors of a job that is being written, a row each: a function, what it means, the fields that it takes.

import { fill, fresh, h } from "../lib/dom.js";
import { right } from "../lib/refused.js";
import { emptyDetector } from "./jobs-draft.js";
import { FUNCTIONS, functionOf } from "./jobs-functions.js";
import { detectorWords } from "./jobs-words.js";

const HELP = {
  field: "what is measured", by: "each value has a past of its own", over: "each value is compared with the others", partition: "each value is wholly apart",
};

/** The rows for *detectors*, which they change; *names* is the id of a list of names of fields. */
export function detectorRows(detectors, { changed, names, draw }) {
  return [
    detectors.map((one, at) => row(one, at)),
    h("button", {
      type: "button", dataset: { place: "detectors" }, onclick: () => {
        detectors.push(emptyDetector());
        changed();
        draw();
        document.querySelector(`[data-place="detectors[${detectors.length - 1}].function"]`).focus();
      },
    }, "Add a detector"),
  ];

  function row(one, at) {
    const says = h("small", { id: fresh("says"), role: "status" });
    const words = h("b.asked");
    const place = (name) => `detectors[${at}].${name}`;
    const inputs = Object.fromEntries(Object.keys(HELP).map((name) => [name, h("input", {
      value: one[name], list: names, autocomplete: "off", spellcheck: "false", id: fresh("d"), dataset: { place: place(name) },
      oninput: () => {
        one[name] = inputs[name].value;
        tell();
        changed();
      },
    })]));
    const hints = Object.fromEntries(Object.keys(HELP).map((name) => [name, h("small", { id: fresh("h") })]));
    const select = h("select", {
      id: fresh("f"), dataset: { place: place("function") }, "aria-describedby": says.id, onchange: () => {
        one.function = select.value;
        fit();
        changed();
      },
    }, [...(functionOf(one.function) ? [] : [h("option", { value: one.function, selected: true }, one.function)]),
      ...FUNCTIONS.map(({ name }) => h("option", { value: name, selected: name === one.function }, name))]);
    if (functionOf(one.function) && select.value !== one.function) select.prepend(h("option", { value: one.function, selected: true }, one.function));
    const tell = () => fill(words, detectorWords(one));
    /** Which of the inputs the function needs, may have, cannot have. */
    const fit = () => {
      const found = functionOf(one.function);
      fill(says, found?.says ?? "");
      for (const [name, input] of Object.entries(inputs)) {
        const need = name === "partition" ? "optional" : found?.[name] ?? "optional";
        input.disabled = need === "forbidden";
        input.required = need === "required";
        fill(hints[name], need === "forbidden" ? `not of ${one.function}` : need === "required" ? `needed: ${HELP[name]}` : HELP[name]);
        if (need === "forbidden") {
          input.value = one[name] = "";
          right(input);
        }
        input.setAttribute("aria-describedby", hints[name].id);
      }
      tell();
    };
    fit();
    return h("fieldset.detector", {}, h("legend", {}, `Detector ${at}: `, words),
      h("div.fields", {},
        h("div.field", {}, h("label", { for: select.id }, "Function"), select, says),
        Object.entries(inputs).map(([name, input]) => h("div.field", {}, h("label", { for: input.id }, name[0].toUpperCase() + name.slice(1)), input, hints[name]))),
      detectors.length > 1 ? h("button.plain", {
        type: "button", onclick: () => {
          detectors.splice(at, 1);
          changed();
          draw();
          document.querySelector(`[data-place="detectors[${Math.max(0, at - 1)}].function"]`).focus();
        }, "aria-label": `Remove detector ${at}`,
      }, "Remove") : null);
  }
}

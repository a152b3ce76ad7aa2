// Who looks shows a token once; a cookie that scripts cannot read stands for it from then on.

import { send } from "./api.js";
import { fill, h } from "./dom.js";
import { failed, field } from "./parts.js";

const NOTE = "offbeat.signed-in";
let asking = null;

/** Whether somebody has signed in with this browser; the cookie itself is hidden from scripts. */
export function signedIn() {
  try {
    return localStorage.getItem(NOTE) !== null;
  } catch {
    return false;
  }
}

function note(given) {
  try {
    if (given) localStorage.setItem(NOTE, "yes");
    else localStorage.removeItem(NOTE);
  } catch { /* no storage: the button to leave is missing */ }
}

/** Ask for a token, once however many calls were refused. Resolves when it was taken. */
export function signIn() {
  asking ??= new Promise((resolve) => {
    const token = h("input", { type: "password", required: true, autocomplete: "current-password", spellcheck: "false" });
    const trouble = h("div");
    const dialog = h("dialog", { "aria-label": "Sign in" },
      h("form", {
        onsubmit: async (event) => {
          event.preventDefault();
          try {
            await send("POST", "/session", { token: token.value.trim() });
            note(true);
            dialog.close();
          } catch (error) {
            fill(trouble, failed(error));
            token.select();
          }
        },
      }, h("h2", {}, "Sign in"), h("p", {}, "This daemon takes calls with a token only."),
      field("Token", token, "With the scope read to look, admin to change; `offbeat token create` makes one."), trouble,
      h("div.actions", {}, h("button.primary", { type: "submit" }, "Sign in"))));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      dialog.remove();
      asking = null;
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
    token.focus();
  });
  return asking;
}

/** End the session: the cookie stands for nothing any more. */
export async function signOut() {
  await send("DELETE", "/session");
  note(false);
}

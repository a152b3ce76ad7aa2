// What the reader chose, kept in this browser alone: colours and time zone. Tells who listens of a change.

const events = new EventTarget();
const held = new Map();

function kept(name) {
  if (held.has(name)) return held.get(name);
  try {
    return localStorage.getItem(`offbeat.${name}`);
  } catch {
    return null;
  }
}

function keep(name, value) {
  held.set(name, value);
  try {
    if (value === null) localStorage.removeItem(`offbeat.${name}`);
    else localStorage.setItem(`offbeat.${name}`, value);
  } catch { /* for this visit only */ }
  events.dispatchEvent(new Event("change"));
}

export const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The zone in which times are shown: an IANA name. */
export function zone() {
  const chosen = kept("zone");
  return chosen !== null && isZone(chosen) ? chosen : LOCAL;
}

/** Show times in *name* from now on. False if that is no zone. */
export function setZone(name) {
  if (!isZone(name)) return false;
  keep("zone", name);
  return true;
}

/** Whether this browser knows the zone *name*. */
export function isZone(name) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** "light", "dark", or "system" for what the system says. */
export function theme() {
  return kept("theme") ?? "system";
}

export function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  keep("theme", name === "system" ? null : name);
}

/** Call *told* at every change until *signal* is aborted. */
export function onChange(told, signal) {
  events.addEventListener("change", told, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", told, { signal });
}

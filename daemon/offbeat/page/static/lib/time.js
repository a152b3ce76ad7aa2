// Times as people read them, in the zone that they chose. Within the page a time is a number: milliseconds since 1970 UTC.

import { zone } from "./prefs.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const formats = new Map();

function format(options) {
  const key = zone() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone(), ...options }));
  return formats.get(key);
}

function parts(ms) {
  const found = {};
  for (const { type, value } of format({
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    hourCycle: "h23",
  }).formatToParts(ms)) found[type] = value;
  return found;
}

/** Milliseconds of a time of the API, null of none. */
export function ms(text) {
  return text === null || text === undefined ? null : Date.parse(text);
}

/** ISO 8601 for the API. */
export function iso(time) {
  return new Date(time).toISOString();
}

/** 2026-03-01 14:05, with seconds if asked for. */
export function stamp(time, seconds = false) {
  if (time === null) return "never";
  const p = parts(time);
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}${seconds ? `:${p.second}` : ""}`;
}

/** 14:05, and the day before it unless that is today, and the year before that unless it is this one. */
export function moment(time, now = Date.now()) {
  if (time === null) return "never";
  const [text, today] = [stamp(time), stamp(now)];
  return text.slice(text.slice(0, 10) === today.slice(0, 10) ? 11 : text.slice(0, 4) === today.slice(0, 4) ? 5 : 0);
}

/** 3 min, 2 h 10 min, 4 d: a length of time in words. */
export function span(length) {
  const s = Math.round(Math.abs(length) / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) {
    const minutes = Math.floor((s % 3600) / 60);
    return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  const hours = Math.floor((s % 86_400) / 3600);
  return `${Math.floor(s / 86_400)} d${hours && s < 10 * 86_400 ? ` ${hours} h` : ""}`;
}

/** 3 min ago; in 3 min. */
export function ago(time, now = Date.now()) {
  if (time === null) return "never";
  return time > now + 1000 ? `in ${span(time - now)}` : `${span(now - time)} ago`;
}

/** *text* of the daemon with the times that stand in it, UTC, as the chosen zone has them. */
export function zoned(text) {
  return String(text).replace(/\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?(Z\b| UTC\b)/g, (whole, day, clock, seconds = "") => {
    const time = Date.parse(`${day}T${clock}${seconds || ":00"}Z`);
    return Number.isNaN(time) ? whole : stamp(time, seconds !== "" && seconds !== ":00");
  });
}

/** A time element: the moment, in full for who points at it, and for programs. */
export function timeNode(time, text = null) {
  const node = document.createElement("time");
  if (time !== null) {
    node.dateTime = iso(time);
    node.title = `${stamp(time, true)} ${zone()}`;
  }
  node.textContent = text ?? moment(time);
  return node;
}

/** How far the zone is ahead of UTC at *time*, in ms. */
function offset(time) {
  const p = parts(time);
  return Date.UTC(+p.year, +p.month - 1, +p.day, +p.hour, +p.minute, +p.second) - Math.floor(time / 1000) * 1000;
}

/** *time* as the clock on the wall shows it, in the form that charts and inputs of date and time take. */
export function wall(time, seconds = true) {
  return new Date(time + offset(time)).toISOString().slice(0, seconds ? 23 : 16);
}

/** The time at which the clock on the wall shows *text*; of an hour that comes twice, the first. NaN if it is none. */
export function fromWall(text) {
  const shown = Date.parse(`${String(text).replace(" ", "T")}Z`);
  if (Number.isNaN(shown)) return NaN;
  const guess = shown - offset(shown);
  return shown - offset(guess);
}

/** How many minutes after midnight the clocks of *zone*, an IANA name, show at *time*. */
export function minuteOfDay(time, zone) {
  const key = `minute ${zone}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
  const [hours, minutes] = formats.get(key).format(time).split(":").map(Number);
  return 60 * hours + minutes;
}

/** Many *times* at once as ``wall`` shows them: the offset is looked up once an hour. */
export function walls(times) {
  let hour = NaN;
  let ahead = 0;
  return times.map((time) => {
    if (Math.floor(time / (HOUR / 4)) !== hour) {
      hour = Math.floor(time / (HOUR / 4));
      ahead = offset(time);
    }
    return new Date(time + ahead).toISOString().slice(0, 23);
  });
}

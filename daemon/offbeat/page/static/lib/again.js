// When a view looks again: soon after something happened that concerns it, and now and then for what nobody tells.

const SOON_MS = 300;
const EVERY_MS = 5_000;

/**
 * Call *run* when the stream tells of something that *concerns* it (all does unless it says), when the connection is
 * back, and every few seconds while the page is looked at; never more often than every SOON_MS, nor two at once.
 */
export function again(context, run, { kinds = ["record", "bucket"], concerns = () => true, everyMs = EVERY_MS } = {}) {
  const { stream, signal } = context;
  let timer = null;
  let running = false;
  let asked = false;
  const now = async () => {
    timer = null;
    if (signal.aborted) return;
    if (running) {
      asked = true;
      return;
    }
    running = true;
    try {
      await run();
    } catch { /* whoever shows it says so; the next turn may do better */ } finally {
      running = false;
      if (asked) soon();
      asked = false;
    }
  };
  const soon = () => {
    if (!signal.aborted) timer ??= setTimeout(now, SOON_MS);
  };
  for (const kind of kinds) stream.on(kind, (document) => concerns(document, kind) && soon(), signal);
  stream.addEventListener("resumed", soon, { signal });
  const regular = setInterval(() => document.visibilityState === "visible" && soon(), everyMs);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    clearInterval(regular);
  });
  return soon;
}

// What happens, as it happens: one stream for the whole page, and what it is worth at the moment.
// It goes on where it broke off: from the last id that was seen.

const KINDS = ["record", "bucket", "status"];
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export class Stream extends EventTarget {
  /** *state* is "connecting", "live" or "lost". Events: one of KINDS with the document as detail; "state"; "resumed". */
  constructor(minScore = 1) {
    super();
    Object.assign(this, { state: "connecting", minScore, lastId: null, wait: FIRST_WAIT_MS, was: false });
    this.open();
    addEventListener("online", () => this.again());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.again());
  }

  open() {
    const query = new URLSearchParams({ min_score: this.minScore });
    if (this.lastId !== null) query.set("last_event_id", this.lastId);
    this.source = new EventSource(`api/v1/stream?${query}`);
    this.source.addEventListener("open", () => {
      this.wait = FIRST_WAIT_MS;
      this.become("live");
      if (this.was) this.dispatchEvent(new Event("resumed"));
      this.was = true;
    });
    for (const kind of KINDS) {
      this.source.addEventListener(kind, (event) => {
        if (event.lastEventId) this.lastId = event.lastEventId;
        this.dispatchEvent(new CustomEvent(kind, { detail: JSON.parse(event.data) }));
      });
    }
    // The browser's own way to come back forgets the last id of an earlier connection, and gives up at a refusal.
    this.source.addEventListener("error", () => {
      this.source.close();
      this.become("lost");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    });
  }

  /** Try at once, if it is lost. */
  again() {
    if (this.state !== "lost") return;
    clearTimeout(this.timer);
    this.wait = FIRST_WAIT_MS;
    this.open();
  }

  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  /** Call *told* with each document of *kind* until *signal* is aborted. */
  on(kind, told, signal) {
    this.addEventListener(kind, (event) => told(event.detail), { signal });
  }
}

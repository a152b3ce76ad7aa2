"""An upload under an Idempotency-Key: what of it is journaled, so that it counts once however often it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import orjson

from offbeat.engine.analysis.entries import Upload
from offbeat.engine.analysis.results import Taken
from offbeat.intake.keys import Digest, another_body
from offbeat.store.database import Database
from offbeat.store.journal import KeyRow


@dataclass(slots=True)
class Again:
    """One upload with a *key*; ``open`` first, then all of it: bytes, and the records that they gave.

    A part that is journaled takes along how many records of the body that makes; sent again, the body is read from its
    beginning and those are left out. How it was cut into parts, then and now, makes no difference.
    """

    key: str
    taken: Taken | None = None  # the answer, if it was given before
    before: Taken = field(default_factory=Taken)  # what the job had taken before the first part of it
    begun: bool = False  # something of it is journaled
    _name: str = ""
    _digest: Digest = field(default_factory=Digest)
    _answered: bytes = b""
    _done: int = 0
    _rows: int = 0
    _seen: dict[str, int] = field(default_factory=dict)
    _counted: dict[str, int] = field(default_factory=dict)

    async def open(self, database: Database, job: int, since_ms: int, before: Taken) -> None:
        """Find what is remembered since then; *before*: what the job has taken by now."""
        self._name, self.before = f"analysis\t{job}\t{self.key}", before  # no key of events has a tab
        rows = await database.read(
            "SELECT digest, whole, lines_done, receipt FROM idempotency WHERE key = ? AND at_ms >= ?",
            (self._name, since_ms),
        )
        if not rows:
            return
        digest, whole, self._done, receipt = rows[0]
        said = orjson.loads(receipt)
        self.begun = True
        if whole:
            self.taken, self._answered = Taken(**said["taken"]), digest
            return
        self.before, self._counted = Taken(**said["before"]), said["counted"]
        self._digest = Digest(digest)

    def feed(self, block: bytes) -> None:
        """The next bytes of the body. Raises IdempotencyKeyReused where it shows that they are of another."""
        self._digest.feed(block)

    def left(self, upload: Upload) -> Upload | None:
        """What of the next records, and of what was counted up to them, is not journaled yet; None if all is."""
        size = upload.records.size
        self._rows += size
        for name, count in upload.counts.items():
            self._seen[name] = self._seen.get(name, 0) + count
        if self._rows < self._done:
            return None
        more = {name: max(0, count - self._counted.get(name, 0)) for name, count in self._seen.items()}
        if self._rows == self._done and not any(more.values()):
            return None
        first = size - (self._rows - self._done)
        self._done = self._rows
        self._counted |= {name: self._counted.get(name, 0) + count for name, count in more.items()}
        records = upload.records.keep(np.arange(size) >= first)
        return Upload(upload.job, records, more)

    def row(self, now_ms: int) -> KeyRow:
        """What to remember with the part that ``left`` gave."""
        said = {"before": _said(self.before), "counted": self._counted}
        return KeyRow(self._name, now_ms, self._digest.beginning(), False, self._done, orjson.dumps(said))

    def end(self, taken: Taken, now_ms: int) -> KeyRow:
        """What to remember of all of it: the answer. Raises IdempotencyKeyReused if it was less than before."""
        return KeyRow(self._name, now_ms, self._digest.whole(), True, 0, orjson.dumps({"taken": _said(taken)}))

    def answer(self) -> Taken:
        """The answer that was given before. Raises IdempotencyKeyReused if it was to another body."""
        assert self.taken is not None
        if self._digest.whole() != self._answered:
            raise another_body()
        return self.taken


def _said(taken: Taken) -> dict[str, object]:
    return {"counts": taken.counts, "latest_ms": taken.latest_ms}

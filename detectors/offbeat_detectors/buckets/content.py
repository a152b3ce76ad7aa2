"""How much information the strings of an entity hold in a bucket: the size to which they can be compressed.

What is measured: the distinct strings, sorted by their UTF-8 bytes, a line each, as zlib compresses them (RFC 1950,
level 6, the largest window): the length in bytes. Another build of zlib may differ by a few bytes.
"""
from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.features import Gathered, Gatherer
from offbeat_detectors.buckets.tables import parts_of
from offbeat_detectors.contract import State

KEPT_BYTES_MAX = 65_536
KEPT_TEXTS_MAX = 4_096
"""Of one entity in one bucket: UTF-8 bytes, a line end each, and strings. The first that came are kept."""
LEVEL = 6


def information(texts: Iterable[bytes]) -> int:
    """The compressed size of these distinct *texts*, in bytes."""
    return len(zlib.compress(b"\n".join(sorted(texts)), LEVEL))


@dataclass(slots=True)
class Strings:
    """What is kept of one entity in one bucket: distinct strings, their bytes, and how many rows were beyond limits."""

    texts: set[bytes] = field(default_factory=set)
    size: int = 0
    beyond: int = 0

    def take(self, text: bytes, rows: int) -> None:
        """Keep *text*, which came in so many *rows*, if there is room."""
        if text in self.texts:
            return
        if self.size + len(text) + 1 > KEPT_BYTES_MAX or len(self.texts) == KEPT_TEXTS_MAX:
            self.beyond += rows
        else:
            self.texts.add(text)
            self.size += len(text) + 1


class Content:
    """The information content of each entity in any number of open buckets of one detector.

    An entity takes at most 0.5 MB in an open bucket: KEPT_BYTES_MAX, and what Python needs for KEPT_TEXTS_MAX strings.
    The cuts between calls of ``add`` change no bit.
    """

    def __init__(self) -> None:
        self._events = Gatherer(["count"])
        self._open: dict[int, dict[int, Strings]] = {}

    @property
    def buckets(self) -> tuple[int, ...]:
        """The open buckets that have rows, ascending."""
        return self._events.buckets

    @property
    def ignored_rows(self) -> int:
        """Rows so far that stood for no event: their weight was not above 0, or not finite."""
        return self._events.ignored_rows

    def add(
        self, bucket: NDArray[np.int64], entity: NDArray[np.int32], code: NDArray[np.int32], texts: Sequence[str],
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        """Take n rows in order of arrival, of any buckets: row i has the string texts[code[i]], none if that is −1.

        Raises ValueError for columns of different lengths, IndexError for a code that is no text's.
        """
        check_codes(bucket, entity, code, texts)
        self._events.add(bucket, entity, np.zeros(bucket.size), weight)
        good = code >= 0 if weight is None else (code >= 0) & (weight > 0.0) & np.isfinite(weight)
        if not good.any():
            return
        bucket, entity, code = bucket[good], entity[good], code[good]
        encoded: dict[int, bytes] = {}
        for number, part in parts_of(bucket):
            entities = self._open.setdefault(number, {})
            for of, text, rows in once_each(entity[part], code[part]):
                if text not in encoded:
                    encoded[text] = utf8(texts[text])
                entities.setdefault(of, Strings()).take(encoded[text], rows)

    def look(self, bucket: int) -> Gathered:
        """The entities of *bucket* by now, a column of bytes, NaN where no string came; it stays open."""
        events, entities = self._events.look(bucket), self._open.get(bucket, {})
        value, beyond = np.full((events.entity.size, 1), np.nan), np.zeros(events.entity.size, np.int64)
        for i, entity in enumerate(events.entity.tolist()):
            if (strings := entities.get(entity)) is not None:
                value[i, 0], beyond[i] = information(strings.texts), strings.beyond
        return Gathered(events.entity, events.count, value, beyond)

    def close(self, bucket: int) -> Gathered:
        """As ``look``; *bucket* is forgotten."""
        gathered = self.look(bucket)
        self._events.close(bucket)
        self._open.pop(bucket, None)
        return gathered

    def forget(self, bucket: int) -> None:
        """Forget *bucket*, whose features nobody wants any more."""
        self._events.forget(bucket)
        self._open.pop(bucket, None)

    def save(self) -> State:
        """A copy of all open buckets: a row an entity with strings, and the strings of all one after the other."""
        rows = [(number, entity, strings) for number in sorted(self._open)
                for entity, strings in sorted(self._open[number].items())]
        return {
            **{f"events_{name}": array for name, array in self._events.save().items()},
            "bucket": np.array([number for number, _, _ in rows], np.int64),
            "entity": np.array([entity for _, entity, _ in rows], np.int32),
            "beyond": np.array([strings.beyond for _, _, strings in rows], np.int64),
            "texts": np.array([len(strings.texts) for _, _, strings in rows], np.int64),
            **packed([text for _, _, strings in rows for text in sorted(strings.texts)]),
        }

    def restore(self, state: State) -> None:
        """Set the open buckets to what ``save`` gave. Raises KeyError for a missing array, ValueError for misfits."""
        texts = unpacked(state)
        self._events.restore({name.removeprefix("events_"): array for name, array in state.items()
                              if name.startswith("events_")})
        self._open = {}
        columns = [state[name].tolist() for name in ("bucket", "entity", "beyond", "texts")]
        for number, entity, beyond, n in zip(*columns, strict=True):
            own = {next(texts) for _ in range(n)}
            self._open.setdefault(number, {})[entity] = Strings(own, sum(map(len, own)) + n, beyond)


def check_codes(
    bucket: NDArray[np.int64], entity: NDArray[np.int32], code: NDArray[np.int32], texts: Sequence[str],
) -> None:
    """Raises ValueError for columns of different lengths or a negative entity, IndexError for a code without a text."""
    if not bucket.size == entity.size == code.size:
        raise ValueError("columns of different lengths")
    if entity.size and int(entity.min()) < 0:
        raise ValueError(f"entity {int(entity.min())}: expected 0 or more")
    if code.size and int(code.max()) >= len(texts):
        raise IndexError(f"text {int(code.max())} of {len(texts)}")


def once_each(entity: NDArray[np.int32], code: NDArray[np.int32]) -> Iterator[tuple[int, int, int]]:
    """Each pair of *entity* and *code*, of (n,) rows, with how many rows have it, in order of the first of them."""
    codes = int(code.max()) + 1
    pairs, first, rows = np.unique(entity.astype(np.int64) * codes + code, return_index=True, return_counts=True)
    order = np.argsort(first)
    of, text = np.divmod(pairs[order], codes)
    return zip(of.tolist(), text.tolist(), rows[order].tolist(), strict=True)


def utf8(text: str) -> bytes:
    """The bytes of *text*, whatever it holds."""
    return text.encode("utf-8", "surrogatepass")


def packed(texts: Sequence[bytes]) -> State:
    """Strings as two arrays."""
    return {"text_bytes": np.frombuffer(b"".join(texts), np.uint8).copy(),
            "text_size": np.array([len(each) for each in texts], np.int64)}


def unpacked(state: State) -> Iterator[bytes]:
    """The strings that ``packed`` was given. Raises ValueError if the arrays do not fit together."""
    whole, sizes = state["text_bytes"].tobytes(), state["text_size"]
    if len(whole) != sizes.sum():
        raise ValueError(f"{len(whole)} bytes of strings: expected {sizes.sum()}")
    ends = np.cumsum(sizes).tolist()
    return iter([whole[end - size : end] for size, end in zip(sizes.tolist(), ends, strict=True)])

"""How much information the strings of an entity would hold without each value of an influencer field."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.buckets.content import (
    KEPT_BYTES_MAX,
    KEPT_TEXTS_MAX,
    check_codes,
    information,
    packed,
    unpacked,
    utf8,
)
from offbeat_detectors.buckets.influence import VALUES_MAX, Removed, nothing_removed
from offbeat_detectors.contract import State

OTHERS_BIT = 1
HALF = (1 << 32) - 1


@dataclass(slots=True)
class Owned:
    """What is kept of one entity in one bucket.

    owners  each kept string, with a bit for each value that gave it; OTHERS_BIT: rows without a value, or of values
            that were laid together
    size    of the kept strings, a line end each
    events  of each value that is kept apart
    bit     of each
    rest    events of OTHERS_BIT
    beyond  of them, those of values that were laid together
    part    values that may lack early rows
    """

    owners: dict[bytes, int] = field(default_factory=dict)
    size: int = 0
    events: dict[int, float] = field(default_factory=dict)
    bit: dict[int, int] = field(default_factory=dict)
    rest: float = 0.0
    beyond: float = 0.0
    part: set[int] = field(default_factory=set)

    def count(self, code: int, weight: float) -> int:
        """The bit of the value *code*, which has *weight* events more."""
        if code < 0:
            self.rest += weight
            return OTHERS_BIT
        if code not in self.bit:
            if len(self.bit) == 2 * VALUES_MAX:
                self._lay_together()
            taken = OTHERS_BIT | sum(self.bit.values())
            self.bit[code] = ~taken & (taken + 1)
            self.events[code] = 0.0
            if self.beyond > 0.0:
                self.part.add(code)
        self.events[code] += weight
        return self.bit[code]

    def hold(self, text: bytes, bit: int) -> None:
        """The value of *bit* has given *text*, which is kept if there is room."""
        if (owners := self.owners.get(text)) is not None:
            self.owners[text] = owners | bit
        elif self.size + len(text) + 1 <= KEPT_BYTES_MAX and len(self.owners) < KEPT_TEXTS_MAX:
            self.owners[text] = bit
            self.size += len(text) + 1

    def _lay_together(self) -> None:
        lighter = sorted(self.events, key=lambda code: (self.events[code], -code))[: len(self.events) - VALUES_MAX]
        gone = 0
        for code in lighter:
            events = self.events.pop(code)
            self.rest, self.beyond, gone = self.rest + events, self.beyond + events, gone | self.bit.pop(code)
            self.part.discard(code)
        for text, owners in self.owners.items():
            if owners & gone:
                self.owners[text] = owners & ~gone | OTHERS_BIT

    def without(self, code: int) -> float:
        """The information of the strings that others than *code* gave; NaN if there is none."""
        left = [text for text, owners in self.owners.items() if owners & ~self.bit[code]]
        return float(information(left)) if left else math.nan


class ContentWithout:
    """The information content of an entity without each value of one influencer field, in open buckets.

    It is what ``Content`` says of the rows that are left, unless values were laid together or its limits are reached:
    then, of the strings that ``Content`` keeps. An entity takes at most 1 MB in an open bucket. The cuts between calls
    of ``add`` change no bit.
    """

    def __init__(self) -> None:
        self._open: dict[int, dict[int, Owned]] = {}

    @property
    def buckets(self) -> tuple[int, ...]:
        """The open buckets that have rows, ascending."""
        return tuple(sorted(self._open))

    def add(
        self, bucket: NDArray[np.int64], entity: NDArray[np.int32], code: NDArray[np.int32], text: NDArray[np.int32],
        texts: Sequence[str], weight: NDArray[np.float64] | None = None,
    ) -> None:
        """As ``Content.add`` with the strings texts[text[i]]; *code* (n,) int32 is the influencer's value, or −1."""
        check_codes(bucket, entity, text, texts)
        weight = np.ones(bucket.size) if weight is None else weight
        encoded: dict[int, bytes] = {}
        columns = (each.tolist() for each in (bucket, entity, code, text, weight))
        for number, of, value, which, events in zip(*columns, strict=True):
            if not 0.0 < events < math.inf:
                continue
            entities = self._open.setdefault(number, {})
            if (owned := entities.get(of)) is None:
                owned = entities[of] = Owned()
            bit = owned.count(value, events)
            if which >= 0:
                if which not in encoded:
                    encoded[which] = utf8(texts[which])
                owned.hold(encoded[which], bit)

    def without(self, bucket: int, entity: NDArray[np.int32] | None = None) -> Removed:
        """The open *bucket* without each value, by now, of these entities; None: of all."""
        entities = self._open.get(bucket, {})
        chosen = sorted(entities if entity is None else set(entity.tolist()) & set(entities))
        rows = [(each, code, entities[each]) for each in chosen for code in sorted(entities[each].bit)]
        if not rows:
            return nothing_removed(1)
        return Removed(
            np.array([each for each, _, _ in rows], np.int32), np.array([code for _, code, _ in rows], np.int32),
            np.array([owned.events[code] for _, code, owned in rows]),
            np.array([[owned.without(code)] for _, code, owned in rows]),
            np.array([code not in owned.part for _, code, owned in rows]),
            np.array([owned.beyond for _, _, owned in rows]))

    def forget(self, bucket: int) -> None:
        """Close *bucket*, if it is open."""
        self._open.pop(bucket, None)

    def save(self) -> State:
        """A copy of all open buckets: rows of entities, of their values, and of their strings, one after the other."""
        rows = [(number, entity, owned) for number in self.buckets
                for entity, owned in sorted(self._open[number].items())]
        values = [(code, owned) for _, _, owned in rows for code in sorted(owned.bit)]
        strings = [each for _, _, owned in rows for each in sorted(owned.owners.items())]
        return {
            "bucket": np.array([number for number, _, _ in rows], np.int64),
            "entity": np.array([entity for _, entity, _ in rows], np.int32),
            "rest": np.array([owned.rest for _, _, owned in rows], np.float64),
            "beyond": np.array([owned.beyond for _, _, owned in rows], np.float64),
            "values": np.array([len(owned.bit) for _, _, owned in rows], np.int64),
            "texts": np.array([len(owned.owners) for _, _, owned in rows], np.int64),
            "code": np.array([code for code, _ in values], np.int32),
            "events": np.array([owned.events[code] for code, owned in values], np.float64),
            "bit": np.array([owned.bit[code].bit_length() for code, owned in values], np.int64),
            "part": np.array([code in owned.part for code, owned in values], np.bool_),
            "owners": np.array([[bits & HALF, bits >> 32] for _, bits in strings], np.uint64).reshape(-1, 2),
            **packed([text for text, _ in strings]),
        }

    def restore(self, state: State) -> None:
        """Set the open buckets to what ``save`` gave. Raises KeyError for a missing array, ValueError for misfits."""
        texts = unpacked(state)
        owners = iter(state["owners"].tolist())
        values = zip(*(state[name].tolist() for name in ("code", "events", "bit", "part")), strict=True)
        entities = (state[name].tolist() for name in ("bucket", "entity", "rest", "beyond", "values", "texts"))
        self._open = {}
        for number, entity, rest, beyond, n_values, n_texts in zip(*entities, strict=True):
            owned = self._open.setdefault(number, {})[entity] = Owned(rest=rest, beyond=beyond)
            for _ in range(n_values):
                code, owned.events[code], length, part = next(values)
                owned.bit[code] = 1 << (length - 1)
                if part:
                    owned.part.add(code)
            for _ in range(n_texts):
                text, (low, high) = next(texts), next(owners)
                owned.owners[text] = low | high << 32
                owned.size += len(text) + 1

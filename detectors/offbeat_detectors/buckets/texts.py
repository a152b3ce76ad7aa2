"""Texts as arrays of numbers and back, for what is saved of a State."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from offbeat_detectors.contract import State


def save_texts(name: str, texts: Iterable[str]) -> State:
    """Two arrays: ``<name>_bytes`` (total,) uint8, UTF-8, one text after the other, and ``<name>_sizes`` (n,) int64."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return {f"{name}_bytes": np.frombuffer(b"".join(encoded), np.uint8).copy(),
            f"{name}_sizes": np.array([len(each) for each in encoded], np.int64)}


def restore_texts(name: str, state: State) -> list[str]:
    """The texts that ``save_texts`` was given. Raises KeyError for a missing array, ValueError for other sizes."""
    raw: bytes = state[f"{name}_bytes"].tobytes()
    sizes: NDArray[np.int64] = state[f"{name}_sizes"]
    if int(sizes.sum()) != len(raw):
        raise ValueError(f"state {name!r} has {len(raw)} bytes: expected {int(sizes.sum())}")
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    return [raw[start:end].decode("utf-8", "surrogatepass") for start, end in zip(starts, ends, strict=False)]

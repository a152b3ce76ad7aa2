"""A file to blocks of events, in the order of its lines: what sending it would bring to the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbeat import wire
from offbeat.backtest.question import FileReadings, Scope
from offbeat.backtest.run import Runner
from offbeat.backtest.workers import Tell
from offbeat.engine.catalog import Catalog, Limits
from offbeat.engine.entries import Block
from offbeat.errors import BadBody, BadRequest

READ_BYTES = 256 * 1024
TOGETHER_BYTES = 4 * 1024 * 1024
"""So much is decoded at a time: what a worker holds of the file is a few times this."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which sources of a file are a worker's: those whose number, or whose shard's, leaves *number* divided by *of*."""

    number: int
    of: int
    by_shard: bool


def feed(asked: FileReadings, scope: Scope, share: Share, catalog: Catalog, runner: Runner, tell: Tell) -> int:
    """Run a share of the file; how many of all its lines are no event, or beyond a limit.

    Raises BadBody for a file that cannot be read to its end, OSError.
    """
    rejected = 0
    options = wire.Cutter(asked.options).block_options
    for bodies, first_lines, read_bytes in pieces(asked):
        decoded = wire.decode(bodies, options, [0] * len(bodies), first_lines)
        for reason in decoded.failed.values():
            raise BadBody(f"{asked.path} cannot be read: {reason}", where={"file": str(asked.path)})
        rejected += int(decoded.rejected_count.sum())
        block, taken = catalog.admit(decoded.table)
        rejected += int(taken.size - taken.sum())
        mine = whose(block, share, catalog)
        if scope.read_from_ms is not None:
            mine &= block.time_ms >= scope.read_from_ms
        if scope.end_ms is not None:
            mine &= block.time_ms < scope.end_ms
        kept = block.keep(mine)
        runner.take(kept)
        tell(kept.size, read_bytes)
    return rejected


def whose(block: Block, share: Share, catalog: Catalog) -> NDArray[np.bool_]:
    """Which events (n,) of *block* are of the share."""
    number = catalog.source_shard[block.source] if share.by_shard else block.source
    mine: NDArray[np.bool_] = number % share.of == share.number
    return mine


def catalog_for(asked: FileReadings) -> Catalog:
    """An empty catalog with the limits that the daemon would have."""
    return Catalog(Limits(*asked.limits))


def pieces(asked: FileReadings) -> Iterator[tuple[list[bytes], list[int], int]]:
    """The file as bodies of whole records that are decoded together, with the line of each one's first, and how many
    bytes of the file were read for them."""
    decompressor = wire.Decompressor(asked.encoding, bytes_max=1 << 62)
    cutter = wire.Cutter(asked.options)
    bodies: list[bytes] = []
    lines: list[int] = []
    waiting = read = 0
    try:
        with open(asked.path, "rb") as file:
            while data := file.read(READ_BYTES):
                read += len(data)
                for piece in decompressor.feed(data):
                    for block in cutter.feed(piece):
                        bodies.append(block.body)
                        lines.append(block.first_line)
                        waiting += len(block.body)
                        if waiting >= TOGETHER_BYTES:
                            yield bodies, lines, read
                            bodies, lines, waiting, read = [], [], 0, 0
            decompressor.finish()
            for block in cutter.finish():
                bodies.append(block.body)
                lines.append(block.first_line)
    except BadBody as e:
        raise BadBody(f"{asked.path} cannot be read further: {e.message}", hint=e.hint, where=e.where) from e
    if bodies:
        yield bodies, lines, read


def check_file(asked: FileReadings) -> int:
    """The size of the file in bytes. Raises BadRequest if it is none that can be read more than once."""
    path = asked.path
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "is no file" if path.exists() else "is not there"
        raise BadRequest(
            f"{path} {what}", hint="a back-test reads a file several times: write a stream to one first",
            where={"file": str(path)},
        )
    return path.stat().st_size

"""A job as one file, which another daemon goes on with: a zip of what it is asked, its models, and its results.

``job.json`` says what it is asked and what is remembered of it, ``state`` is the models as a checkpoint has them,
``<table>.ndjson`` the rows of its results, an array each.
"""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from typing import IO, Any

import orjson

from offbeat.analyses.checks import check_new
from offbeat.analyses.job import Job
from offbeat.analyses.life import Analyses
from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.spec import AnalysisSpec
from offbeat.errors import BadRequest, StoreUnavailable
from offbeat.packing import BadPack, pack, unpack
from offbeat.store import analyses as kept
from offbeat.store.database import Database, Statements

FORMAT = 1
"""Of the file; another is refused, as is a state that this build cannot read."""
HEAD, STATE = "job.json", "state"
PAGE_ROWS = 5_000


class NoExport(BadRequest):
    """The body is not the file of a job, or is damaged, or of another build."""

    code = "not_an_export"


def no_export(why: str, hint: str = "") -> NoExport:
    """It is none, for this reason."""
    return NoExport(f"the body is not a job that was exported: {why}; nothing was created", hint=hint)


async def exported(analyses: Analyses, job: Job, version: str, *, results: bool) -> IO[bytes]:
    """The job as a file, which the caller closes; models and results are of one moment. Raises StoreUnavailable."""
    database = analyses.database
    async with database.snapshot() as db:
        async with analyses.runner.still(job.number) as state:
            await db.execute_fetchall("SELECT 1 FROM analysis LIMIT 1")  # the snapshot is of now
        head = {"format": FORMAT, "version": version, "spec": asdict(job.spec), "said": job.document}
        file = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.writestr(HEAD, orjson.dumps(head, option=orjson.OPT_INDENT_2))
                packed = await asyncio.to_thread(pack, state, kept.LEVEL_ZSTD)
                archive.writestr(zipfile.ZipInfo(STATE), packed)
                for table in kept.OF_BUCKETS if results else ():
                    with archive.open(f"{table}.ndjson", "w") as member:
                        final = " AND interim = 0" if table in kept.RESULTS else ""
                        rows = await db.execute(
                            f"SELECT * FROM {table} WHERE job = ?{final} ORDER BY 2, 3", (job.number,)
                        )
                        while some := list(await rows.fetchmany(PAGE_ROWS)):
                            await asyncio.to_thread(member.write, b"".join(map(_line, some)))
        except OSError as e:
            file.close()
            raise StoreUnavailable(f"the file cannot be written: {e.strerror}") from None
        except BaseException:
            file.close()
            raise
    return file


def _line(row: Sequence[Any]) -> bytes:
    """A row of results without the number of its job; JSON in it stays as it is, byte for byte, as a text."""
    return orjson.dumps([one.decode() if isinstance(one, bytes) else one for one in row[1:]]) + b"\n"


async def imported(analyses: Analyses, file: IO[bytes], id: str | None, bytes_max: int) -> Job:
    """Go on with the job in *file*, under another *id* if one is given.

    Raises NoExport, BadRequest for what an analysis may not be asked here, Conflict for an id that is taken.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > bytes_max:
                raise no_export(f"it is larger than {bytes_max} bytes", "raise ingest.decompressed_bytes_max")
            analysis, said, state = await asyncio.to_thread(_opened, archive, id)

            async def brought(number: int) -> AsyncIterator[Statements]:
                for statements in kept.pieces_of(number, kept.BROUGHT, state):
                    yield statements
                for table in kept.OF_BUCKETS:
                    async for rows in _rows(archive, table, number):
                        yield rows

            columns = await _widths(analyses.database)
            await asyncio.to_thread(_checked, archive, columns)
            return await analyses.bring(analysis, said, brought)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as e:
        raise no_export(str(e)) from None


def _opened(archive: zipfile.ZipFile, id: str | None) -> tuple[Analysis, dict[str, Any], bytes]:
    """The analysis with its state, what is remembered of it, and the state as it is packed."""
    try:
        head, packed = orjson.loads(archive.read(HEAD)), archive.read(STATE)
        if head["format"] != FORMAT:
            raise no_export(f"its format is {head['format']}, and this build knows {FORMAT}")
        spec: AnalysisSpec = kept.spec_of(orjson.dumps(head["spec"]).decode())
        said = dict(head["said"])
        spec = spec if id is None else replace(spec, id=id)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as e:
        raise no_export(f"{type(e).__name__}: {e}") from None
    check_new(spec)
    analysis = Analysis(spec)
    try:
        analysis.restore(unpack(packed))
    except (BadPack, KeyError, ValueError, TypeError, IndexError) as e:
        raise no_export(f"its models cannot be read ({type(e).__name__})") from None
    return analysis, said, packed


async def _widths(database: Database) -> dict[str, int]:
    """How many columns each table of results has, without the number of the job."""
    return {table: len(await database.read(f"PRAGMA table_info({table})")) - 1 for table in kept.OF_BUCKETS}


def _checked(archive: zipfile.ZipFile, widths: dict[str, int]) -> None:
    """Raise NoExport unless every row of results is one."""
    for table, width in widths.items():
        for some in _pages(archive, table):
            if any(not isinstance(row, list) or len(row) != width for row in some):
                raise no_export(f"{table} has rows of another form")


def _pages(archive: zipfile.ZipFile, table: str) -> Any:
    """The rows of a table, some at a time; none if the file was made without results."""
    if f"{table}.ndjson" not in archive.namelist():
        return
    with archive.open(f"{table}.ndjson") as member:
        while lines := member.readlines(1 << 20):
            try:
                yield [orjson.loads(line) for line in lines]
            except orjson.JSONDecodeError as e:
                raise no_export(f"{table}: {e}") from None


async def _rows(archive: zipfile.ZipFile, table: str, number: int) -> AsyncIterator[Statements]:
    bodied = table in ("result_bucket", "result_record")
    pages = _pages(archive, table)
    while (some := await asyncio.to_thread(next, pages, None)) is not None:
        rows = [(number, *(row[:-1] if bodied else row), *((row[-1].encode(),) if bodied else ())) for row in some]
        marks = ", ".join("?" * len(rows[0]))
        yield [(f"INSERT INTO {table} VALUES ({marks})", rows)]

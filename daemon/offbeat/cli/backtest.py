"""``offbeat backtest``: a changed configuration over stored readings or a file, and which findings would differ."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from offbeat.cli.exits import Status, WrongUsage
from offbeat.cli.options import TIMES

if TYPE_CHECKING:
    from offbeat.backtest.comparison import Comparison
    from offbeat.backtest.question import Change, FileReadings, Scope
    from offbeat.config import Config
    from offbeat.wire import Format

KINDS = ("kept", "moved", "gone", "new")
WORKERS_MAX = 64


class Kinds(click.ParamType[tuple[str, ...]]):
    """Some of the four kinds of difference, with commas between."""

    name = "kinds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        given = value if isinstance(value, tuple) else tuple(part.strip() for part in value.split(",") if part.strip())
        if wrong := [part for part in given if part not in KINDS]:
            self.fail(f"{wrong[0]!r} is none of {', '.join(KINDS)}", param, ctx)
        return given


@click.command()
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="The model to try.  [default: the job's own]")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of it; may be repeated."
)
@click.option("--bucket-span", "bucket_span_s", type=int, metavar="SECONDS", help="Another bucket span.")
@click.option(
    "--against",
    type=click.Choice(["stored", "rerun"]),
    help="Compare with the findings as stored, or run the job as it is over the same readings.  [default: stored]",
)
@click.option("--against-model", metavar="NAME", help="Compare with this model, run over the same readings.")
@click.option(
    "--against-parameter", "against_parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of that one."
)
@click.option("--job", metavar="NAME", help="The stored job.  [default: watch]")
@click.option("--source", "sources", multiple=True, metavar="PATTERN", help="Only such sources; may be repeated.")
@click.option("--field", "fields", multiple=True, metavar="PATTERN", help="Only such fields; may be repeated.")
@click.option("--start", metavar="TIME", help=f"First time of findings that are compared ({TIMES}).")
@click.option("--end", metavar="TIME", help="Their last time, exclusive; later readings are not read.")
@click.option("--read-from", metavar="TIME", help="First time of readings; those before --start are only learned from.")
@click.option(
    "--score-min", type=click.FloatRange(0, 100), help="Leave out findings that score less, on both sides."
)
@click.option(
    "--tolerance", type=click.IntRange(min=0), metavar="READINGS",
    help="Most readings between two findings of one incident.  [default: 80]",
)
@click.option("--state-dir", type=click.Path(path_type=Path), help="The daemon's state directory; it may be running.")
@click.option(
    "--config", "config_path", type=click.Path(dir_okay=False, path_type=Path),
    help="The daemon's TOML file: its state directory, or for FILE its job and how it reads events.",
)
@click.option("--workers", type=click.IntRange(1, WORKERS_MAX), help="Processes.  [default: one a processor]")
@click.option(
    "--format", "format_name", type=click.Choice(["ndjson", "json", "csv", "influx"]),
    help="What FILE holds.  [default: by its suffix or first byte]",
)
@click.option("--source-field", "source_fields", multiple=True, metavar="FIELD", help="FILE: what names the source.")
@click.option("--time-field", "time_fields", multiple=True, metavar="FIELD", help="FILE: what holds the time.")
@click.option("--precision", type=click.Choice(["s", "ms", "us", "ns"]), help="FILE: of epoch times.")
@click.option("--delimiter", metavar="CHARACTER", help="FILE: of CSV.  [default: ,]")
@click.option("--text", "text", multiple=True, metavar="FIELD", help="FILE: text even where it looks like a number.")
@click.option(
    "--show", type=Kinds(), default=("moved", "gone", "new"), help="Which to list.  [default: moved,gone,new]"
)
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True, help="Most rows of the table.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON document.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Print a JSON document a difference; the last is the summary.")
@click.option("--exit-code", is_flag=True, help="End with status 7 if anything was moved, is gone or is new.")
@click.option("--fail-on", type=Kinds(), default=(), help="End with status 7 if there are any of these.")
@click.option("--max-new", type=click.IntRange(min=0), help="End with status 7 if there are more new ones.")
@click.option("--max-gone", type=click.IntRange(min=0), help="End with status 7 if there are more that are gone.")
@click.pass_context
def backtest(ctx: click.Context, /, **given: Any) -> None:
    """Try a configuration over the readings that a daemon has stored, or over FILE, and list what would differ.

    A finding is kept, moved (the same incident at another time, or with a score of another band), gone or new. The
    daemon may be running: it is not asked, nothing is written. Over FILE, the configuration is compared with the one
    that a daemon would use.
    """
    from offbeat.cli.serve import place_compiled_code

    place_compiled_code(os.environ)
    from offbeat.cli.backtest_report import report

    compared = _compare(**given)
    report(compared, given["show"], given["limit"], as_json=given["as_json"], as_lines=given["as_lines"])
    ctx.exit(status(compared.counts, given["exit_code"], given["fail_on"], given["max_new"], given["max_gone"]))


def status(
    counts: Any, exit_code: bool, fail_on: tuple[str, ...], max_new: int | None, max_gone: int | None
) -> Status:
    """The exit status that these *counts* of each kind mean."""
    failing = {*fail_on, *(("moved", "gone", "new") if exit_code else ())}
    over = any(most is not None and counts[kind] > most for kind, most in (("new", max_new), ("gone", max_gone)))
    return Status.DIFFERENT if over or any(counts[kind] for kind in failing) else Status.GOOD


def _compare(
    *,
    file: Path | None,
    model: str | None,
    parameters: tuple[str, ...],
    bucket_span_s: int | None,
    against: str | None,
    against_model: str | None,
    against_parameters: tuple[str, ...],
    job: str | None,
    state_dir: Path | None,
    config_path: Path | None,
    workers: int | None,
    **rest: Any,
) -> Comparison:
    from offbeat.backtest.comparison import over_file, over_stored
    from offbeat.backtest.question import Change, StoredReadings
    from offbeat.cli.progress import progress_bar
    from offbeat.cli.serve import settings
    from offbeat.errors import Refused

    config = settings(config_path, host=None, port=None, state_dir=None if state_dir is None else str(state_dir))
    change = Change(model, _parameters(parameters), bucket_span_s)
    other = Change(against_model, _parameters(against_parameters))
    rerun = against == "rerun" or against_model is not None or bool(against_parameters)
    if rerun and against == "stored":
        raise WrongUsage("--against stored is of the findings as they are; another model must be run", hint="leave out")
    scope = _scope(rest)
    count = workers or min(os.cpu_count() or 1, WORKERS_MAX)
    try:
        if file is not None:
            for name, value in (("--job", job), ("--state-dir", state_dir), ("--against stored", against == "stored")):
                if value:
                    raise WrongUsage(f"{name} is of stored readings, not of a file", hint="leave out one of the two")
            asked = _file(file, config, other, rest)
            return over_file(asked, change, scope, count, lambda total: told(progress_bar("running", total)))
        _only_of_files(rest)
        stored = StoredReadings(Path(config.store.state_dir), job, other if rerun else None)
        return over_stored(stored, change, scope, count, lambda total: told(progress_bar("running", total)))
    except Refused as e:
        raise WrongUsage(e.message, hint=e.hint, where=e.where) from e


def told(bar: Any) -> Any:
    """The progress *bar* as what a back-test tells of its steps."""
    from contextlib import contextmanager

    from offbeat.cli.sender import Tally

    @contextmanager
    def telling() -> Any:
        tally = Tally()
        with bar as show:

            def tell(events: int, part: int) -> None:
                tally.accepted += events
                tally.position += part
                show(tally)

            yield tell

    return telling()


def _parameters(texts: tuple[str, ...]) -> dict[str, object]:
    """``name=value`` texts; a value is JSON where it can be read so, else text. Raises WrongUsage."""
    found: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise WrongUsage(f"{text!r} is no parameter: expected NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _scope(given: dict[str, Any]) -> Scope:
    from offbeat.backtest.question import Scope
    from offbeat.wire.times import parse_text_ms

    def time_ms(name: str) -> int | None:
        text = given[name]
        if text is None:
            return None
        ms = parse_text_ms(text, None)
        if ms is None:
            raise WrongUsage(f"--{name.replace('_', '-')} is {text!r}: expected {TIMES}")
        return ms

    scope = Scope(
        given["sources"] or ("*",), given["fields"] or ("*",), time_ms("start"), time_ms("end"), time_ms("read_from"),
        given["score_min"],
    )
    if given["tolerance"] is None:
        return scope
    from dataclasses import replace

    return replace(scope, tolerance=given["tolerance"])


OF_FILES = ("format_name", "source_fields", "time_fields", "precision", "delimiter", "text")


def _only_of_files(given: dict[str, Any]) -> None:
    for name in OF_FILES:
        if given[name]:
            option = "--" + name.removesuffix("_name").removesuffix("s").replace("_", "-")
            raise WrongUsage(f"{option} is of a file, and none is named")


def _file(path: Path, config: Config, baseline: Change, given: dict[str, Any]) -> FileReadings:
    """The question about the file at *path*. Raises WrongUsage, BadConfig, BadRequest."""
    from dataclasses import replace

    from offbeat.assembly import watch_of
    from offbeat.backtest.question import FileReadings
    from offbeat.cli import inputs
    from offbeat.wire import Decompressor, Options, delimited

    format: Format | None
    format, encoding = inputs.format_of(path.name)
    format = given["format_name"] or format
    if format is None and path.is_file():
        with open(path, "rb") as file:
            start = b"".join(Decompressor(encoding, bytes_max=1 << 62).feed(file.read(4096)))
        format = inputs.format_by_first_byte(start)
    if format is None and path.exists():
        formats = ", ".join(inputs.FORMATS)
        raise WrongUsage(f"the format of {path} is not plain from its name or first byte", hint=f"--format: {formats}")
    delimiter = {None: ",", "tab": "\t"}.get(given["delimiter"], given["delimiter"] or ",")
    options = Options.of(
        config.ingest, format or "ndjson", time=given["time_fields"], source=given["source_fields"],
        precision=given["precision"], delimiter=delimiter, text_fields=given["text"],
    )
    if options.format == "csv":
        delimited.delimiter_of(options)
    engine = config.engine
    return FileReadings(
        path,
        encoding,
        # No arrival here: an event must bring its time, and none is too far ahead.
        replace(options, time_required=True, max_future_ms=1 << 50),
        watch_of(config),
        baseline,
        (engine.sources_max, engine.fields_max, engine.series_max, engine.shard_series),
        config.store.record_score_min,
    )

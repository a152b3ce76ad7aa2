"""``offbeat jobs``: what is looked for. Lists, shows, creates and deletes jobs; their records and files are besides."""
from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from offbeat.cli.exits import CommandFailed, WrongUsage
from offbeat.cli.options import TIMES, as_parameters, json_option, list_options, url_option

CONTEXT = {"help_option_names": ["-h", "--help"]}
ELSEWHERE = {
    "send": "offbeat.cli.jobs_send",
    "results": "offbeat.cli.jobs_results",
    "export": "offbeat.cli.jobs_move",
    "import": "offbeat.cli.jobs_move",
    "snapshots": "offbeat.cli.jobs_snapshots",
}
"""Commands that live in modules of their own, imported when they are called for."""


class JobsGroup(click.Group):
    """The commands here, and those elsewhere."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in ELSEWHERE:
            command: click.Command = importlib.import_module(ELSEWHERE[cmd_name]).COMMANDS[cmd_name]
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=JobsGroup, context_settings=CONTEXT)
def jobs() -> None:
    """What is looked for: jobs whose models follow series, and jobs whose detectors ask questions of buckets.

    A job is created from a JSON document, or from --detector; what is sent to one with detectors are records.
    """


@jobs.command("list")
@list_options
def list_jobs(limit: int, everything: bool, as_json: bool, url: str) -> None:
    """List the jobs of both kinds."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import Column, column, number, print_pages, run

    columns = (
        column("id"),
        column("state"),
        Column("asks", asks),
        number("bucket_span_s", "span s"),
        Column("events", lambda job: job.get("event_count", job.get("counts", {}).get("processed")), right=True),
        Column("up to", lambda job: job.get("latest_bucket")),
        column("description"),
    )

    async def show() -> None:
        async with Daemon(url) as daemon:
            pages = daemon.pages("/jobs", "jobs", (), None if everything else limit)
            await print_pages(pages, columns, as_json=as_json, nothing="there is no job")

    run(show())


def asks(job: Mapping[str, Any]) -> str:
    """What a job asks, in a few words: its detectors, or its model."""
    if "detectors" not in job:
        return f"{job.get('model')} of {', '.join(job.get('fields', ()))}"
    return "; ".join(words_of(detector) for detector in job["detectors"])


def words_of(detector: Mapping[str, Any]) -> str:
    """A detector as a sentence has it: mean responsetime by airline."""
    words = [str(detector["function"])] + ([detector["field"]] if detector.get("field") else [])
    for name in ("by", "over", "partition"):
        if detector.get(name):
            words += [name, detector[name]]
    return " ".join(words)


@jobs.command()
@click.argument("job")
@json_option
@url_option
def show(job: str, as_json: bool, url: str) -> None:
    """Show a job: what it is asked, and what it has done."""
    from offbeat.cli.client import Daemon, job_path
    from offbeat.cli.output import run

    async def ask() -> None:
        async with Daemon(url) as daemon:
            print_job(await daemon.get(job_path(job)), as_json=as_json)

    run(ask())


def print_job(document: Mapping[str, Any], *, as_json: bool = False) -> None:
    """A job, a line a property; what it counts below its name."""
    from offbeat.cli.output import column, print_json, print_table

    if as_json:
        print_json([document])
        return
    rows: list[dict[str, object]] = []
    for name, value in document.items():
        if name == "detectors":
            rows += [{"property": f"detector {i}", "value": words_of(one)} for i, one in enumerate(value)]
        elif name == "withheld":
            rows += [{"property": f"{name} of detector {one['detector']}", "value": held_back(one)} for one in value]
        elif name == "peers":
            rows += [{"property": f"{name} of detector {one['detector']}", "value": compared(one)} for one in value]
        elif isinstance(value, dict):
            rows += [{"property": f"{name} {inner}", "value": joined(one)} for inner, one in value.items()]
        else:
            rows.append({"property": name, "value": joined(value)})
    print_table((column("property"), column("value")), [row for row in rows if row["value"] not in ("", None)])


def held_back(withheld: Mapping[str, Any]) -> str:
    """What one cause has left out, as a line has it."""
    return "{cause}: {values} values, {records} of them records; {unlearned} not learned".format(**withheld)


def compared(peers: Mapping[str, Any]) -> str:
    """With how many the members of a detector's populations are compared, as a line has it."""
    return "{members:.4g} members a bucket, in {populations} populations".format(**peers)


def joined(value: object) -> object:
    """A list with commas between; anything else as it is."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


@jobs.command()
@click.argument("job")
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    metavar="TEXT",
    help="FUNCTION [FIELD] [by FIELD] [over FIELD] [partition FIELD]; may be repeated.",
)
@click.option("--span", type=click.IntRange(min=1), metavar="SECONDS", help="Of a bucket.")
@click.option("--latency", type=click.IntRange(min=0), metavar="SECONDS", help="How late records may come.")
@click.option("--season", type=click.IntRange(min=0), metavar="SECONDS", help="Length of a season that is known.")
@click.option("--influencer", "influencers", multiple=True, metavar="FIELD", help="May be blamed; may be repeated.")
@click.option("--source", "sources", multiple=True, metavar="PATTERN", help="Events of these are records of it.")
@click.option("--field", "fields", multiple=True, metavar="PATTERN", help="Events with such a field are records.")
@click.option("--description", metavar="TEXT", help="What it is for.")
@json_option
@url_option
def create(job: str, file: str | None, as_json: bool, url: str, **given: Any) -> None:
    """Create a job named JOB, from the JSON document in FILE ('-': standard input), from options, or from both."""
    from offbeat.cli.client import Daemon
    from offbeat.cli.output import run

    document = (_document(file) if file is not None else {}) | {"id": job} | _asked(given)
    if file is None and not given["detectors"]:
        raise WrongUsage("what is the job to look for?", hint="give a FILE, or --detector 'mean temperature by boiler'")

    async def ask() -> None:
        async with Daemon(url) as daemon:
            print_job(await daemon.post("/jobs", document), as_json=as_json)

    run(ask())


def _document(file: str) -> dict[str, Any]:
    import orjson

    try:
        with click.open_file(file, "rb") as opened:
            document = orjson.loads(opened.read())
    except OSError as e:
        raise CommandFailed(f"cannot read {file}: {e.strerror}") from e
    except orjson.JSONDecodeError as e:
        raise CommandFailed(f"{file} is not JSON: {e}") from e
    if not isinstance(document, dict):
        raise CommandFailed(f"{file} holds no object of JSON")
    return document


def _asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The document's members that options give."""
    names = {"span": "bucket_span_s", "latency": "latency_s", "season": "season_s", "description": "description"}
    asked: dict[str, Any] = {names[name]: given[name] for name in names if given[name] is not None}
    asked |= {name: list(given[name]) for name in ("influencers", "sources", "fields") if given[name]}
    if given["detectors"]:
        asked["detectors"] = [detector_of(text) for text in given["detectors"]]
    return asked


def detector_of(text: str) -> dict[str, str]:
    """The detector that ``FUNCTION [FIELD] [by FIELD] …`` says; names with spaces need a FILE. Raises WrongUsage."""
    words = text.split()
    if not words:
        raise WrongUsage("a detector is empty", hint="--detector 'mean temperature by boiler'")
    made, rest = {"function": words[0]}, words[1:]
    if rest and rest[0] not in ("by", "over", "partition"):
        made["field"] = rest.pop(0)
    while rest:
        name = rest.pop(0)
        if name not in ("by", "over", "partition") or not rest or name in made:
            raise WrongUsage(
                f"{text!r} is no detector", hint="FUNCTION [FIELD] [by FIELD] [over FIELD] [partition FIELD]"
            )
        made[name] = rest.pop(0)
    return made


@jobs.command()
@click.argument("job")
@url_option
def delete(job: str, url: str) -> None:
    """Delete a job with all that it has."""
    from offbeat.cli.client import Daemon, job_path
    from offbeat.cli.output import run

    async def ask() -> None:
        async with Daemon(url) as daemon:
            await daemon.delete(job_path(job))
            click.echo(f"{job} is deleted")

    run(ask())


@jobs.command()
@click.argument("job")
@click.option("--interim", is_flag=True, help="With interim results of the buckets that are open.")
@click.option("--start", metavar="TIME", help=f"Of interim results ({TIMES}).")
@click.option("--end", metavar="TIME", help="Of interim results, exclusive.")
@click.option("--advance", metavar="TIME", help="No record before it will come: buckets that end by then are final.")
@json_option
@url_option
def flush(
    job: str, interim: bool, start: str | None, end: str | None, advance: str | None, as_json: bool, url: str
) -> None:
    """Return once all that was sent to JOB is analysed and can be read."""
    parameters = as_parameters(interim=interim or None, start=start, end=end, advance=advance)
    _do(job, "flush", parameters, as_json, url)


@jobs.command()
@click.argument("job")
@json_option
@url_option
def close(job: str, as_json: bool, url: str) -> None:
    """End the analysis for now: its models are a snapshot. The next record opens JOB again."""
    _do(job, "close", [], as_json, url)


@jobs.command()
@click.argument("job")
@json_option
@url_option
def pause(job: str, as_json: bool, url: str) -> None:
    """Analyse nothing of what is sent to JOB, or of events, until it is resumed."""
    _do(job, "pause", [], as_json, url)


@jobs.command()
@click.argument("job")
@json_option
@url_option
def resume(job: str, as_json: bool, url: str) -> None:
    """Analyse again; of the time between nothing is learned."""
    _do(job, "resume", [], as_json, url)


def _do(job: str, what: str, parameters: list[tuple[str, str]], as_json: bool, url: str) -> None:
    from offbeat.cli.client import Daemon, job_path
    from offbeat.cli.output import print_json, run

    async def ask() -> None:
        async with Daemon(url) as daemon:
            document = await daemon.post_bytes(f"{job_path(job)}/{what}", b"", parameters=parameters)
        if as_json:
            print_json([document])
        else:
            latest = document["latest_bucket"]
            known = "no bucket is final yet" if latest is None else f"final up to the bucket of {latest}"
            click.echo(f"{job} is {document['state']}; {known}")

    run(ask())

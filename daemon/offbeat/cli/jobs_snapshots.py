"""``offbeat jobs snapshots``: the models of a job as they were; described, gone back to, deleted."""
from __future__ import annotations

from urllib.parse import quote

import click

from offbeat.cli.exits import WrongUsage
from offbeat.cli.options import json_option, url_option


@click.command()
@click.argument("job")
@click.argument("snapshot", required=False)
@click.option("--describe", metavar="TEXT", help="Say what SNAPSHOT is.")
@click.option("--revert", is_flag=True, help="Go on from SNAPSHOT; the job must be closed or paused.")
@click.option(
    "--forget-results", is_flag=True, help="With --revert: delete results after it, and take their records once more."
)
@click.option("--delete", is_flag=True, help="Delete SNAPSHOT.")
@json_option
@url_option
def snapshots(
    job: str,
    snapshot: str | None,
    describe: str | None,
    revert: bool,
    forget_results: bool,
    delete: bool,
    as_json: bool,
    url: str,
) -> None:
    """List the model snapshots of JOB, the one that it goes on from first; or do something with SNAPSHOT."""
    from offbeat.cli.client import Daemon, job_path
    from offbeat.cli.output import Column, column, print_json, print_table, run

    wanted = [describe is not None, revert, delete].count(True)
    if wanted > 1:
        raise WrongUsage("--describe, --revert and --delete do not go together", hint="give one of them")
    if wanted and snapshot is None:
        raise WrongUsage("which SNAPSHOT is meant?", hint=f"`offbeat jobs snapshots {job}` lists them")
    if forget_results and not revert:
        raise WrongUsage("--forget-results goes with --revert")
    columns = (
        column("id"),
        column("in_use", "in use"),
        column("taken"),
        column("latest_record", "latest record"),
        Column("model bytes", lambda one: one["size"]["model_bytes"], right=True),
        column("description"),
    )

    async def ask() -> None:
        path = f"{job_path(job)}/snapshots"
        one = f"{path}/{quote(snapshot or '', safe='')}"
        async with Daemon(url) as daemon:
            if delete:
                await daemon.delete(one)
                click.echo(f"snapshot {snapshot} of {job} is deleted")
                return
            if describe is not None:
                rows = [await daemon.patch(one, {"description": describe})]
            elif revert:
                forgets = [("forget_results", "true")] if forget_results else []
                rows = [await daemon.post_bytes(f"{one}/revert", b"", parameters=forgets)]
            else:
                every = (await daemon.get(path))["snapshots"]
                rows = [row for row in every if snapshot in (None, row["id"])]
        if as_json:
            print_json(rows)
        elif rows:
            print_table(columns, rows)
        else:
            click.echo(f"{job} has no snapshot{f' {snapshot}' if snapshot else ' yet: each close takes one'}", err=True)

    run(ask())


COMMANDS = {"snapshots": snapshots}

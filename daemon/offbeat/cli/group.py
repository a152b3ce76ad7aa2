"""The list of commands and where each lives. Only the one called for is imported, so a small one starts at once."""
from __future__ import annotations

import importlib

import click

from offbeat.cli.exits import MEANINGS

COMMANDS = {
    "serve": ("offbeat.cli.serve", "Run the daemon until it is stopped."),
    "send": ("offbeat.cli.send", "Send a file of events to the daemon."),
    "buckets": ("offbeat.cli.buckets", "List bucket scores."),
    "records": ("offbeat.cli.records", "List findings."),
    "explain": ("offbeat.cli.explain", "Say why a finding is one."),
    "sources": ("offbeat.cli.sources", "List what sends, or show one source."),
    "jobs": ("offbeat.cli.jobs", "List, create, feed and move jobs."),
    "feedback": ("offbeat.cli.feedback", "Say that a finding was normal, or that one was missed."),
    "alerts": ("offbeat.cli.alerts", "List alerts, acknowledge one, see what nobody was told and what was given up."),
    "alert-rules": ("offbeat.cli.alert_rules", "Say which findings raise an alert, and who is told."),
    "silence": ("offbeat.cli.silence", "Tell nobody for a while."),
    "calendar": ("offbeat.cli.calendar", "Import calendars in whose windows nobody is told."),
    "status": ("offbeat.cli.status", "Say how it is by all checks; exit status 0 GREEN, 1 YELLOW, 2 RED, 3 unknown."),
    "checks": ("offbeat.cli.checks", "Make, list and run checks: rules that say GREEN, YELLOW or RED."),
    "maintenance": ("offbeat.cli.maintenance", "Leave outcomes of checks out of the counts for a while."),
    "feeds": ("offbeat.cli.feeds", "List what jobs read themselves, start and stop it."),
    "token": ("offbeat.cli.token", "Say who may send, read and change things."),
    "watch": ("offbeat.cli.watch", "Follow findings as they are made."),
    "diagnosis": ("offbeat.cli.diagnosis", "Show why the daemon says what it says, or nothing."),
    "quarantine": ("offbeat.cli.quarantine", "List rejected lines."),
    "demo": ("offbeat.cli.demo", "Simulate sensors with faults and report which were found."),
    "backtest": ("offbeat.cli.backtest", "Try a configuration over stored readings or a file."),
    "verify": ("offbeat.cli.verify", "Replay the journal and compare with what is stored."),
    "parse-service": ("offbeat.cli.parse_service", "Run the parse service of energy-sensors by itself."),
    "check-config": ("offbeat.cli.check_config", "Check a config file."),
    "version": ("offbeat.cli.version", "Print the version."),
}
"""Name of a command → its module, and its line in the list. The function in the module has the module's last name."""


class LazyGroup(click.Group):
    """A group that imports a command when it is called for, and lists all of them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = COMMANDS[cmd_name][0]
        command: click.Command = getattr(importlib.import_module(module), module.rsplit(".", 1)[1])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            raise click.UsageError(
                f"there is no command {args[0]!r}" + (f"; did you mean {near[0]}?" if near else ""), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit status"):
            formatter.write_dl([(str(int(status)), meaning) for status, meaning in MEANINGS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def offbeat() -> None:
    """Offbeat listens to sensors and says when one leaves its rhythm.

    `offbeat serve` runs the daemon; the other commands talk to one that runs, at --url or OFFBEAT_URL.
    """

"""The files that are made from config.py, as text. `make docs` writes them; test_generated.py says when it is due."""
from __future__ import annotations

from pathlib import Path

from offbeat.cli.sample import sample_toml, settings_table, sinks_table

TOP = Path(__file__).parents[2]

SETTINGS_HEAD = """\
# Settings

<!-- made by `make docs` from daemon/offbeat/config.py -->

`offbeat serve --config FILE` reads a TOML file; [deploy/offbeat.toml](../deploy/offbeat.toml) names every setting with
its default. A setting that is unknown, of the wrong type or out of range stops the start with a sentence that says
which and, where the name is nearly one, what was meant; `offbeat check-config FILE` says the same beforehand, and with
`--print` what the file comes to. `--host`, `--port` and `--state-dir` on the command line override the file.

SIGHUP (`systemctl reload offbeat`) reads the file again. Settings marked *reload* change at once; the others wait for
the next start. A file that is wrong changes nothing.

"""


def generated() -> dict[Path, str]:
    """Each generated file and what it must hold."""
    return {
        TOP / "deploy" / "offbeat.toml": sample_toml(),
        TOP / "docs" / "settings.md": f"{SETTINGS_HEAD}{settings_table()}\n{sinks_table()}",
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
        print(f"made {path.relative_to(TOP)}")

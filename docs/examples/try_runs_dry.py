"""A test of the check in runs_dry.py, without a daemon: see docs/checks.md."""
from pathlib import Path

from offbeat_detectors.checks import outcomes, registry
from offbeat_detectors.checks.trying import readings

check = registry.create("runs_dry", {"hours": 48}, Path.home() / "checks")
hours = range(24)
for per_hour in (1, 3):
    data = readings([3600 * hour for hour in hours], [100 - per_hour * hour for hour in hours])
    print(outcomes.run(check, data))
print(outcomes.run(check, readings([0, 3600], [100, 99])))

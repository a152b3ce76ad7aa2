# What people do with a checkout. Works in any directory; needs Python 3.11 or newer, make and a package index.
.POSIX:
.SUFFIXES:

PYTHONS = python3.13 python3.12 python3.11 python3
IN = .venv/bin
PIP = $(IN)/python -m pip --disable-pip-version-check --quiet
ARGS =

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

serve: .venv/.installed  ## start the daemon on 127.0.0.1:7373, data in ./offbeat-data (ARGS="--port 0" adds options)
	@exec $(IN)/offbeat serve $(ARGS)

test: .venv/.installed-dev browser  ## style, types, arrows between the rooms, then every test (ARGS="tests/wire -k csv" chooses)
	$(IN)/python -m ruff check .
	$(IN)/lint-imports --no-cache
	$(IN)/python -m mypy
	$(IN)/python -m pytest $(ARGS)

soak: .venv/.installed-dev browser  ## the tests that take long: hours of traffic in minutes
	$(IN)/python -m pytest -m soak --timeout 3600 $(ARGS)

bench: .venv/.installed-bench  ## every benchmark, one after the other (ARGS="benchmarks/ingest.py --seconds 5" runs one)
	@if [ -n "$(ARGS)" ]; then exec $(IN)/python $(ARGS); fi; \
	for bench in detection ingest jobs page speed; do \
	    echo "== $$bench"; \
	    $(IN)/python benchmarks/$$bench.py --markdown benchmarks/results/$$bench.md || exit; \
	done

bench-detection: .venv/.installed-dev
	@exec $(IN)/python benchmarks/detection.py --markdown benchmarks/results/detection.md $(ARGS)

docs: .venv/.installed  ## make deploy/offbeat.toml, docs/settings.md, docs/functions.md and the kinds of docs/checks.md from the code
	$(IN)/python tests/project/generated.py

clean:  ## remove the environment and every cache; ./offbeat-data stays
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The tests of the page drive the system's Chromium; where it is missing and may not be installed, they are skipped.
browser:  ## chromium, which the tests of the page drive, where it is missing and may be installed
	@if ! command -v chromium >/dev/null; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "installing chromium, for the tests of the page"; \
	        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium fonts-dejavu-core; } >/dev/null; \
	    else echo "chromium is not installed: the tests of the page are skipped (apt install chromium)" >&2; fi; \
	fi

# A stamp is newer than what it was made from, so set-up runs only when one of these changes.
.venv/.made:
	@if ! $(IN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    for python in $(PYTHONS); do \
	        if "$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	            echo "creating .venv with $$("$$python" --version)"; \
	            rm -rf .venv && "$$python" -m venv .venv && touch .venv/.made; exit; \
	        fi; \
	    done; \
	    echo "Offbeat needs Python 3.11 or newer with its venv module; none of these is one: $(PYTHONS)" >&2; exit 1; \
	fi; touch .venv/.made

.venv/.installed: .venv/.made pyproject.toml constraints.txt
	@echo "installing Offbeat and what it needs into .venv"
	@$(PIP) install -c constraints.txt hatchling
	@$(PIP) install -c constraints.txt --no-build-isolation -e .
	@touch .venv/.installed

.venv/.installed-dev: .venv/.made pyproject.toml constraints.txt
	@echo "installing Offbeat, what it needs and what tests it into .venv"
	@$(PIP) install -c constraints.txt hatchling
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch .venv/.installed .venv/.installed-dev

.venv/.installed-bench: .venv/.installed-dev
	@echo "installing what draws the curves of the benchmarks into .venv"
	@$(PIP) install -c constraints.txt --no-build-isolation -e '.[dev,bench]'
	@touch .venv/.installed-bench

.PHONY: help serve browser test soak bench bench-detection docs clean

# Everything runs in .venv, which the first call makes. Nothing but python3 and make is needed;
# the tests bring a browser, where there is none.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The tests start many processes; without this each of them would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check proof cover bench format clean

demo: $(VENV)/.demo
	$(BIN)/voicesession demo

test: $(VENV)/.dev $(VENV)/.browser
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/basedpyright --level error

# What make test does with few examples, with many: properties, machines, killed processes.
proof: $(VENV)/.dev $(VENV)/.browser
	VOICESESSION_PROFILE=proof $(BIN)/pytest --numprocesses auto --dist loadfile --timeout 7200

# Every branch of the core is taken by the core's own tests.
cover: $(VENV)/.dev
	$(BIN)/coverage run -m pytest -q tests/core
	$(BIN)/coverage report --include "src/voicesession/core/*" --fail-under 100

bench: $(VENV)/.dev $(VENV)/.bench
	$(BIN)/python benchmarks/budgets.py
	$(BIN)/python benchmarks/floor_step.py
	$(BIN)/python benchmarks/recorder.py
	$(BIN)/python benchmarks/runtime.py
	$(BIN)/python benchmarks/s3.py
	$(BIN)/python benchmarks/storage.py
	$(BIN)/python benchmarks/web.py

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The demo installs what a user of the demo needs; the tests and checks add their tools.
$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(PIP) --editable ".[sql,offline,cli]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(PIP) --upgrade "pip>=25.1"
	$(PIP) --editable ".[all]" --group test --group check
	@touch $@ $(VENV)/.demo

# A browser for the tests of what runs in one: this machine's, Debian's, or Playwright's own.
$(VENV)/.browser: $(VENV)/.dev
	for name in chromium-headless-shell chromium google-chrome; do \
	    ! command -v $$name >/dev/null || exit 0; \
	done; \
	apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium-headless-shell \
	    || $(BIN)/playwright install --only-shell chromium
	@touch $@

# The peers that the benchmarks measure beside us.
$(VENV)/.bench: pyproject.toml | $(VENV)/.dev
	$(PIP) --group bench
	@touch $@

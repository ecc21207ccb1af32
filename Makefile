# `make run` starts the console, `make test` proves it. Both build .venv when it is missing or stale.

PYTHON ?= python3
UV ?= uv
LOCKFLAGS ?=
BIN := .venv/bin

MINUTES ?= 30

.PHONY: run test check static bench soak lock prometheus clean

run: .venv/stamp
	@$(BIN)/polytui

test: .venv/stamp
	$(BIN)/pytest -n auto

# Format, lint, types and import contracts, then the tests.
check: static
	@$(MAKE) --no-print-directory test

static: .venv/stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/stamp
	@$(BIN)/python -m bench

# An armed engine under everything at once, `make soak MINUTES=30`: nothing may grow.
soak: .venv/stamp
	SOAK_MINUTES=$(MINUTES) $(BIN)/pytest -n 0 -s tests/process/test_soak.py

# The exporter, the alert rules and a real engine under the real Prometheus, Debian's package.
prometheus: .venv/stamp
	@ops/prometheus/install
	$(BIN)/pytest -n 0 tests/process/test_prometheus.py

# Pins every dependency with its hashes, for all supported Pythons on Linux and macOS.
# Keeps the pins that still fit; `make lock LOCKFLAGS=--upgrade` moves them all.
lock:
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv, or name one with UV=..." >&2; exit 1; }
	$(UV) pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(LOCKFLAGS) \
		pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist snapshot_report.html
	find polytui tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.venv/stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "polytui needs Python 3.11 or newer and '$(PYTHON)' is not: name one with make PYTHON=python3.12" >&2; exit 1; }
	@echo "Building .venv, once; the next start is at once."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

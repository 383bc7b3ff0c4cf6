# `make` prints this help. Everything runs from .venv, which `make setup` builds from requirements.lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ARGS   ?=
ONLY   ?=

.DEFAULT_GOAL := help
.PHONY: help setup up test unit check format test-slow test-pythons test-at bench sql-book lock clean

help: ## This help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 15))' || \
	  { echo "ibkeeper needs Python 3.10 to 3.14; this is $$($(PYTHON) --version). Run: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(STAMP) ## Build .venv from the hash-locked requirements (once)

up: setup ## Everything at once: database, gateway (simulated), sidecar, Prefect, a live view. ARGS="--tape …"
	@exec $(BIN)/ibkeeper up $(ARGS)

# Many tests wait (for a reconnect, a flow, a minute of silence): three at a time keep two cores busy.
test: setup check ## Everything CI runs: most of it together, by file what waits, alone what needs the machine
	$(BIN)/python -m pytest -m "not slow and not alone and not paired" -n 3 --dist worksteal
	$(BIN)/python -m pytest -m "not slow and paired and not alone" -n 3 --dist loadfile
	$(BIN)/python -m pytest -m "not slow and alone"

unit: setup ## The pure tests, about a second (what is tried with many values: tests/property)
	$(BIN)/python -m pytest tests/unit $(ARGS)

check: setup ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup ## Let ruff tidy the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-slow: setup ## What takes longer than CI should
	$(BIN)/python -m pytest -m slow $(ARGS)

test-pythons: setup ## Unit and integration tests on every interpreter from 3.10 up that is found
	@PATH="$(BIN):$$PATH" $(BIN)/python tests/pythons.py $(ARGS)

test-at: setup ## What CI runs, as if it were another moment. AT="2026-12-31 23:50" (UTC); needs a C compiler
	@$(BIN)/python -m tests.at "$(AT)" $(MAKE) test

bench: setup ## Measure; writes benchmarks/results/latest.json. ONLY=name,… runs some
	$(BIN)/python -m benchmarks --only "$(ONLY)" $(ARGS)

sql-book: setup ## Run the recipes of docs/sql.md and write their outputs anew
	$(BIN)/python -m tests.sqlbook.book

lock: setup ## Resolve requirements.lock anew (universal, hashes, no registry addresses)
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.10 --upgrade \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements.lock

clean: ## Remove .venv and caches (never .ibkeeper, where data lives)
	rm -rf $(VENV) .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis

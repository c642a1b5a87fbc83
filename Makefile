# Two commands do all: `make demo` and `make test`. Everything lives in .venv and ./demo; `make clean` removes both.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
CONFIG ?= configs/nightly.toml

.DEFAULT_GOAL := help
.PHONY: help setup demo governor run test test-all crash mutants fuzz lint format micro bench bench-locks ten-million docs lock clean simulate

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "harvester needs Python 3.11 or newer; name one with: make PYTHON=python3.12 " + "$(MAKECMDGOALS)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.runtime  ## install the tool and its locked dependencies into .venv

demo: $(VENV)/.runtime  ## emulator, one harvest of every provider, the report, and where the files lie
	$(BIN)/harvester demo

run: $(VENV)/.runtime  ## one run of CONFIG (configs/nightly.toml unless named)
	$(BIN)/harvester run $(CONFIG)

test: $(VENV)/.dev  ## the default suite, within about 5 minutes on 2 cores
	$(PYTEST) -n 2 --dist worksteal

test-all: $(VENV)/.dev  ## the default suite and the long tests
	$(PYTEST) -n 2 --dist worksteal -m ''

KILLS ?= 300
crash: $(VENV)/.dev  ## die at KILLS random moments and at every system call, fail every call, cut the power
	@command -v strace >/dev/null || apt-get install -y -q strace || echo "without strace, system calls are skipped"
	KILLS=$(KILLS) EVERY_CALL=1 $(PYTEST) -s --timeout 0 tests/crash

mutants: $(VENV)/.dev  ## plant bugs one at a time: does the suite catch each?
	$(BIN)/python -m tests.mutants.run

EXAMPLES ?= 100000
fuzz: $(VENV)/.dev  ## EXAMPLES of everything that a server, a disk or a person may hand us: only our own errors come out
	EXAMPLES=$(EXAMPLES) $(PYTEST) --timeout 0 tests/property

lint: $(VENV)/.dev  ## ruff, mypy --strict, and the floors of docs/architecture.md
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

SEEDS ?= 2000
FIRST ?= 1000
simulate: $(VENV)/.dev  ## SEEDS simulated harvests from seed FIRST on, in two processes
	@set -e; half=$$(( ($(SEEDS) + 1) / 2 )); \
	$(BIN)/python -m tests.simulation.scenario $(FIRST) $$half & other=$$!; \
	$(BIN)/python -m tests.simulation.scenario $$(( $(FIRST) + half )) $$(( $(SEEDS) - half )); \
	wait $$other

governor: $(VENV)/.dev  ## SEEDS servers with hidden limits, from seed FIRST on: goodput, refusals, fairness
	$(BIN)/python -m tests.simulation.test_governor $(FIRST) $(SEEDS)

micro: $(VENV)/.dev  ## the micro-benchmarks, each as a ratio to something run beside it
	$(BIN)/python bench/run.py

BENCHED := harvester aiohttp requests lightbeam dlt singer airbyte scrapy plot
ROWS    ?= 200000
ROUNDS  ?= 5
ONLY    ?=
bench: $(VENV)/.dev $(BENCHED:%=.venv-bench/%.stamp)  ## one harvest by us and by eight others, side by side (ROWS, ROUNDS, ONLY)
	@PATH="$$PATH:/usr/sbin"; command -v nginx >/dev/null || (apt-get update -q && apt-get install -y -q nginx-light) || { echo "make bench needs nginx: apt-get install nginx-light" >&2; exit 1; }
	$(BIN)/python bench/side_by_side.py --rows $(ROWS) --rounds $(ROUNDS) --only "$(ONLY)"
	@test ! -x .venv-bench/plot/bin/python || .venv-bench/plot/bin/python bench/plot.py bench/results

.venv-lock/bin/uv:
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv

.venv-bench/harvester.stamp: requirements.lock pyproject.toml | .venv-lock/bin/uv
	.venv-lock/bin/uv venv -q --clear --python $(BIN)/python .venv-bench/harvester
	.venv-lock/bin/uv pip install -q --python .venv-bench/harvester --require-hashes -r requirements.lock
	.venv-lock/bin/uv pip install -q --python .venv-bench/harvester --no-deps --no-build-isolation -e .
	@touch $@

.venv-bench/%.stamp: bench/locks/%.lock | .venv-lock/bin/uv
	@rm -rf .venv-bench/$* && mkdir -p .venv-bench
	@if .venv-lock/bin/uv venv -q --python $(BIN)/python .venv-bench/$* && .venv-lock/bin/uv pip install -q --python .venv-bench/$* --require-hashes -r $<; then touch $@; \
	else rm -rf .venv-bench/$*; echo "NOT INSTALLED: $*; the table will say that it was skipped" >&2; fi

bench-locks: | .venv-lock/bin/uv  ## resolve the contenders' dependencies again, with hashes
	for name in $(filter-out harvester,$(BENCHED)); do .venv-lock/bin/uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make bench-locks" bench/locks/$$name.in -o bench/locks/$$name.lock || exit 1; done

ten-million: $(VENV)/.dev  ## ten million records through the whole tool: is memory flat? (about a minute)
	$(BIN)/python bench/ten_million.py

docs: $(VENV)/.dev  ## write docs/commands.md from the program's own --help
	$(BIN)/python docs/commands.py

lock:  ## resolve the dependencies again, with hashes
	@test -x .venv-lock/bin/uv || ($(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv)
	.venv-lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" pyproject.toml --extra speed --group build -o requirements.lock
	.venv-lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" pyproject.toml --extra speed --group build --group test --group lint -c requirements.lock -o requirements-dev.lock

clean:  ## remove the environment, the demo and the caches
	rm -rf $(VENV) .venv-lock .venv-bench demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

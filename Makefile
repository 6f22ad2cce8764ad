# Everything here works on a bare machine with make and Python >= 3.11; the rest goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MAKEFLAGS += --no-print-directory

FLEET ?= examples/mixed.yaml
TRAFFIC ?= azure-2023-conv
OUTPUT ?= runs/mixed
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run simulate plan-750mw kernel test test-fast lint types browser docs fit validate bench lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## make .venv with the locked dependencies and this package; nothing to do when up to date

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 setup" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "can't make $(VENV): is Python's venv module installed (python3-venv)?" >&2; exit 1; }
	@echo "installing the locked dependencies into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## serve a small model here: two real engines, the gateway, a chat page and a live page
	@$(BIN)/merit up

simulate: setup ## simulate the bundled mixed fleet on an hour of real traffic under every policy, then show the report
	@$(BIN)/merit simulate $(FLEET) $(TRAFFIC) --policy all --output $(OUTPUT)
	@if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ]; then \
		$(BIN)/python -m webbrowser "file://$(abspath $(OUTPUT))/report.html" >/dev/null; fi

plan-750mw: setup ## plan 750 MW over three years and prove it by simulation (half an hour the first time); show the report
	@$(BIN)/merit plan examples/750mw/750mw.yaml --output runs/750mw || [ $$? -eq 1 ]
	@if [ -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ]; then \
		$(BIN)/python -m webbrowser "file://$(abspath runs/750mw)/report.html" >/dev/null; fi

lint: setup ## style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## strict type checking
	@$(BIN)/mypy

browser:
	@command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && echo "installing chromium for the browser tests" \
			&& apt-get -qq update </dev/null >/dev/null \
			&& DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium chromium-driver \
				</dev/null >/dev/null; } \
		|| echo "no chromium here and it can't be installed: the browser tests will be skipped"

# Both forms of the event kernel, beforehand: else every test process that comes to it would compile them for itself.
kernel: setup
	@echo "compiling the event kernel, once"
	@$(BIN)/merit simulate examples/sites.yaml azure-2023-conv --limit 10 --json >/dev/null

test: setup ## everything that CI checks, slow and browser tests included
	@$(MAKE) -j 2 kernel lint types browser
	@$(BIN)/pytest -n 2 -q $(PYTEST_ARGS)

test-fast: setup ## the tests that take no more than a few seconds each, no lint
	@$(BIN)/pytest -n 2 -q -m "not slow and not browser" $(PYTEST_ARGS)

docs: setup ## the documentation as a web site in site/
	@$(BIN)/mkdocs build --strict
	@echo "documentation: site/index.html"

DATA ?= ../shared/perf

fit: setup ## fit the coefficients of the catalog's machines to the measured data in DATA; writes fitted.yaml
	@$(BIN)/python -m scripts.fit_machines $(DATA)

validate: setup ## cross-validate every cost model on the data in DATA; writes docs/accuracy.md
	@$(BIN)/python -m scripts.validate $(DATA)

bench: setup ## measure every published figure of speed and memory; writes docs/benchmarks.md
	@$(BIN)/python -m bench

lock: setup ## bring requirements.lock up to date with pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --universal --generate-hashes --group dev --extra local --extra postgres pyproject.toml -o requirements.lock --quiet \
		--custom-compile-command "make lock"

clean: ## remove everything that was made here, .venv included
	@rm -rf $(VENV) build dist site runs out bench/results .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

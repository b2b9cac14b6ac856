# Needs Python 3.11 with venv, and make. `make demo` and `make test` do their own set-up.
.DEFAULT_GOAL := test
.PHONY: demo test check bench docs clean
PYTHON ?= python3
BIN := .venv/bin

demo: .venv/ready
	$(BIN)/python example_dags/demo.py

test: .venv/ready
	$(BIN)/pytest --cov

check: .venv/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-* dist build docs/_build

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --group dev --editable .
	touch $@

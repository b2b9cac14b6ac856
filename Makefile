# Needs Python 3.11 with venv, and make. Each target does its own set-up: the first run installs
# what constraints.txt pins into .venv, later runs start at once.
.DEFAULT_GOAL := test
.PHONY: demo test check bench docs test-airflow-3.1 test-airflow-3.2 clean

PYTHON ?= python3
BIN := .venv/bin
# uv brings a list of certificate authorities; the machine's own, where there is one, may know more of them.
UV_FLAGS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),--system-certs)
# A file's tests stay together: what they share, such as a whole Airflow, is started once in each process.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile
# Whatever imports Airflow makes it write its settings somewhere: not into the user's own ~/airflow.
export AIRFLOW_HOME := $(CURDIR)/.venv/airflow

# A training job in real Airflow on the emulator, from nothing to the trained model.
demo: .venv/ready
	$(BIN)/python example_dags/demo.py

# The whole suite, by two processes; pytest's closing line is the last.
test: .venv/ready
	$(BIN)/pytest --cov $(SIDE_BY_SIDE)

check: .venv/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/ready
	@set -e; for name in import_cost polling outages emulator logs; do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

docs: .venv/ready
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build
	@echo "docs/_build/index.html"

# The Airflow versions whose triggerer calls no on_kill, each in an environment of its own.
test-airflow-3.1 test-airflow-3.2: test-airflow-%: .venv-airflow-%/ready
	AIRFLOW_HOME=$(CURDIR)/.venv-airflow-$*/airflow .venv-airflow-$*/bin/pytest $(SIDE_BY_SIDE) --ignore tests/packaging

clean:
	rm -rf .venv .venv-airflow-* .demo dist docs/_build

.venv/ready: constraints.txt pyproject.toml
	$(call install,.venv,constraints.txt)

.venv-airflow-%/ready: constraints-airflow-%.txt pyproject.toml
	$(call install,.venv-airflow-$*,constraints-airflow-$*.txt)

define install
$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Needs Python 3.11: make PYTHON=python3.11")'
$(PYTHON) -m venv $(1)
$(1)/bin/pip install --quiet --disable-pip-version-check --constraint $(2) uv
$(1)/bin/uv pip install $(UV_FLAGS) --python $(1)/bin/python --compile-bytecode \
	--constraint $(2) --build-constraint $(2) --group dev --editable .
touch $(1)/ready
endef

# Needs Python with venv, and make. Each target does its own set-up: the first run installs what constraints.txt
# pins into .venv, later runs start at once. It was made with Python 3.11; `make test PYTHON=python3.12` tries
# another one, in an environment of its own.
.DEFAULT_GOAL := test
.PHONY: demo test test-quick check bench docs screenshots test-lowest test-airflow-3.1 test-airflow-3.2 clean

PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := $(if $(filter 3.11,$(VERSION)),.venv,.venv-$(VERSION))
# Some of the pinned versions don't support 3.10: it gets the newest ones that do.
PINS := $(if $(filter 3.10,$(VERSION)),/dev/null,constraints.txt)
BIN := $(VENV)/bin
# uv brings a list of certificate authorities; the machine's own, where there is one, may know more of them.
UV_FLAGS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),--system-certs)
# A file's tests stay together: what they share, such as a whole Airflow, is started once in each process.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile
# What needs no Airflow process, no build and no hundreds of jobs.
QUICK := tests/test_ownership.py tests/vertex/naming tests/vertex/spec tests/vertex/test_states.py \
	tests/vertex/submit/test_decide.py tests/vertex/watch/test_rules.py tests/vertex/watch/test_job.py \
	tests/vertex/watch/test_lists.py tests/vertex/logs/test_cursor.py tests/vertex/logs/test_lines.py \
	tests/packaging/test_documents.py tests/packaging/test_constraints.py tests/packaging/test_provider_info.py
# Draws thousands of jobs.
SLOW := tests/vertex/spec/test_properties.py
# The oldest version of each dependency that pyproject.toml permits, tried where no Airflow process is needed.
# Airflow 3.1.0 does not say which of these are too new for it; gRPC 1.63 warns of its own.
LOWEST := tests/test_ownership.py tests/vertex tests/provider
OLD_ENOUGH := structlog==25.4.0
# Whatever imports Airflow makes it write its settings somewhere: not into the user's own ~/airflow.
export AIRFLOW_HOME := $(CURDIR)/$(VENV)/airflow

# A training job in real Airflow on the emulator, from nothing to the trained model.
demo: $(VENV)/ready
	$(BIN)/python -m airflow_vertex_training.emulator.demo

# The whole suite, by two processes; pytest's closing line is the last.
test: $(VENV)/ready
	$(BIN)/pytest --cov $(SIDE_BY_SIDE)

# What to run after each change.
test-quick: $(VENV)/ready
	$(BIN)/pytest --quiet $(SIDE_BY_SIDE) --ignore $(SLOW) $(QUICK)

check: $(VENV)/ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Some 20 minutes. Each benchmark takes arguments for more: `python -m benchmarks.outages --help`.
bench: $(VENV)/ready
	@set -e; for run in import_cost polling "outages --only UNAVAILABLE 429" emulator logs; do \
		echo "== $$run"; $(BIN)/python -m benchmarks.$$run; done

docs: $(VENV)/ready
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build
	@echo "docs/_build/index.html"

# README's pictures, from the real UI; needs chromium.
screenshots: $(VENV)/ready
	$(BIN)/python -m tests.browser.screenshots

# The Airflow versions whose triggerer calls no on_kill, each in an environment of its own.
test-airflow-3.1 test-airflow-3.2: test-airflow-%: .venv-airflow-%/ready
	AIRFLOW_HOME=$(CURDIR)/.venv-airflow-$*/airflow .venv-airflow-$*/bin/pytest $(SIDE_BY_SIDE) --ignore tests/packaging

test-lowest: .venv-lowest/ready
	AIRFLOW_HOME=$(CURDIR)/.venv-lowest/airflow .venv-lowest/bin/pytest $(SIDE_BY_SIDE) \
		-W ignore::DeprecationWarning -W ignore::FutureWarning -W ignore::pytest.PytestUnraisableExceptionWarning \
		$(LOWEST)

clean:
	rm -rf .venv .venv-* .demo dist docs/_build

$(VENV)/ready: constraints.txt pyproject.toml
	$(call install,$(VENV),$(PINS))

.venv-airflow-%/ready: constraints-airflow-%.txt pyproject.toml
	$(call install,.venv-airflow-$*,constraints-airflow-$*.txt)

.venv-lowest/ready: pyproject.toml
	$(call environment,.venv-lowest,constraints.txt)
	sed -n '/^dependencies = /,/^]/s/^  "\(.*\)>=\([^"]*\)".*/\1==\2/p' pyproject.toml > .venv-lowest/floors.txt
	.venv-lowest/bin/uv pip install $(UV_FLAGS) --python .venv-lowest/bin/python \
		--constraint .venv-lowest/floors.txt --group dev --editable . $(OLD_ENOUGH)
	touch .venv-lowest/ready

define install
$(call environment,$(1),$(2))
$(1)/bin/uv pip install $(UV_FLAGS) --python $(1)/bin/python --compile-bytecode \
	--constraint $(2) --build-constraint $(2) --group dev --editable .
touch $(1)/ready
endef

define environment
$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 10) else "Needs Python 3.10 or newer: make PYTHON=python3.11")'
$(PYTHON) -m venv $(1)
$(1)/bin/pip install --quiet --disable-pip-version-check --constraint $(2) uv
endef

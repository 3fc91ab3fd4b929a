# Everything that a developer or CI does. Needs Python 3.11+ and make; all else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= demo

.PHONY: demo test test-chaos test-kubernetes bench bench-day lint types imports check-all format install clean

install: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "riskpipe needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# A sample book, then the nightly run on it.
demo: $(STAMP)
	@test -e $(DEMO)/riskpipe.yaml || $(BIN)/riskpipe init $(DEMO) --quiet
	@$(BIN)/riskpipe run -c $(DEMO)/riskpipe.yaml --resume never

test: $(STAMP)
	$(BIN)/python -m pytest -m "not chaos and not kubernetes"

# Kills workers and drivers, again and again.
test-chaos: $(STAMP)
	$(BIN)/python -m pytest -m chaos

test-kubernetes: $(STAMP)
	$(BIN)/python -m pytest -m kubernetes

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# 500,000 trades x 1,000 scenarios.
bench-day: $(STAMP)
	$(BIN)/python -m benchmarks day

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

check-all: lint types imports test

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

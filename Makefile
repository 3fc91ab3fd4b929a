# Everything that a developer or CI does. Needs Python 3.11+ and make; all else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= demo
# Many tests start workers of their own.
TEST_PROCESSES ?= 2
# The image for Kubernetes, and how it is built and brought to the cluster of KUBECONFIG; docker and kind are defaults.
IMAGE ?= riskpipe:test
BUILD_IMAGE ?= docker build
LOAD_IMAGE ?= kind load docker-image
# Installs the Dask operator when it is given: a command that takes the image's name.
INSTALL_OPERATOR ?= :
# What starts a program where the cluster's API server and services can be reached.
KUBE_EXEC ?=

.PHONY: demo test test-slow test-chaos test-helm test-kubernetes image bench bench-day bench-scale lint types imports check-all format install clean

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
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) -m "not chaos and not slow and not kubernetes"

# What takes long: every kernel compiled anew, bootstraps of five years day by day, buckets and shards that fail.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# Kills workers and drivers, again and again.
test-chaos: $(STAMP)
	$(BIN)/python -m pytest -m chaos

# The chart, rendered; needs helm on the PATH. `make test` runs these tests, too, where there is one.
test-helm: $(STAMP)
	RISKPIPE_TEST_HELM=1 $(BIN)/python -m pytest tests/helm

image:
	$(BUILD_IMAGE) . -f Dockerfile -t $(IMAGE)

# On the cluster that KUBECONFIG names, in a namespace of its own; needs kubectl and helm.
test-kubernetes: $(STAMP) image
	$(LOAD_IMAGE) $(IMAGE)
	$(INSTALL_OPERATOR) $(IMAGE)
	RISKPIPE_TEST_IMAGE=$(IMAGE) $(KUBE_EXEC) $(BIN)/python -m pytest -m kubernetes --durations=10

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# 500,000 trades x 1,000 scenarios.
bench-day: $(STAMP)
	$(BIN)/python -m benchmarks day

# Dask's scheduler under thousands of simulated workers, and the model of 250,000 compute hours; quarter of an hour.
bench-scale: $(STAMP)
	$(BIN)/python -m benchmarks scale scale_day

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

# Everything that a developer or CI does. Needs Python 3.11+ and make; all else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PLAIN := $(VENV)/.installed-plain
DEMO ?= demo
# Many tests start workers of their own. Each file's in one process, so that what its tests share is made once; files
# in the order of tests/conftest.py, the longest first.
TEST_PROCESSES ?= 2
BY_FILE := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
# The image for Kubernetes, and how it is built and brought to the cluster of KUBECONFIG; docker and kind are defaults.
IMAGE ?= riskpipe:test
BUILD_IMAGE ?= docker build
LOAD_IMAGE ?= kind load docker-image
# Installs the Dask operator when it is given: a command that takes the image's name.
INSTALL_OPERATOR ?= :
# What starts a program where the cluster's API server and services can be reached.
KUBE_EXEC ?=

.PHONY: demo test test-ore test-browser test-slow test-chaos test-helm test-kubernetes image bench bench-day bench-scale charts docs lint types imports check-all format install clean

install: $(STAMP)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "riskpipe needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

# What the demo runs, and nothing of the developers'; their installation has it all.
$(PLAIN): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "riskpipe needs Python 3.11 or later")'
	test -e $(STAMP) || $(PYTHON) -m venv $(VENV)
	test -e $(STAMP) || $(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

# A sample book, then the nightly runs of two days on it, and the report of the second.
demo: $(PLAIN)
	@test -e $(DEMO)/riskpipe.yaml || $(BIN)/riskpipe init $(DEMO) --quiet
	@$(BIN)/riskpipe run -c $(DEMO)/riskpipe.yaml --resume never
	@$(BIN)/riskpipe run -c $(DEMO)/next_day.yaml --resume never
	@$(BIN)/riskpipe report latest -c $(DEMO)/next_day.yaml -o $(DEMO)/report.html > /dev/null
	@echo "the second night's report, to open in a browser: file://$(abspath $(DEMO))/report.html"

test: $(STAMP)
	$(BIN)/python -m pytest $(BY_FILE) -m "not chaos and not slow and not kubernetes and not ore and not browser"

# What takes long: every kernel compiled anew, bootstraps of five years day by day, buckets and shards that fail; and
# random examples, of which the default suite tries a quarter.
test-slow: $(STAMP)
	TEST_EXAMPLES=all $(BIN)/python -m pytest $(BY_FILE) -m "slow or examples"

# Clicks through a report, from the extra `browser`, in the system's Chromium, which apt brings where root may.
test-browser: $(STAMP)
	@command -v chromium chromium-browser google-chrome > /dev/null || { test "$$(id -u)" = 0 && apt-get install -y -q chromium; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[browser]'
	$(BIN)/python -m pytest -n 0 -m browser tests/browser

# Prices imported books with Open Source Risk Engine itself, from the extra `ore`.
test-ore: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[ore]'
	$(BIN)/python -m pytest -n 0 -m ore tests/ore

# Kills workers and drivers, again and again.
test-chaos: $(STAMP)
	$(BIN)/python -m pytest $(BY_FILE) -m chaos

# The chart, rendered; needs helm on the PATH. `make test` runs these tests, too, where there is one.
test-helm: $(STAMP)
	TEST_HELM=1 $(BIN)/python -m pytest tests/helm

image:
	$(BUILD_IMAGE) . -f Dockerfile -t $(IMAGE)

# On the cluster that KUBECONFIG names, in a namespace of its own; needs kubectl and helm.
test-kubernetes: $(STAMP) image
	$(LOAD_IMAGE) $(IMAGE)
	$(INSTALL_OPERATOR) $(IMAGE) || { sleep 10; $(INSTALL_OPERATOR) $(IMAGE); }    # an image may take a moment to be listed
	TEST_IMAGE=$(IMAGE) $(KUBE_EXEC) $(BIN)/python -m pytest -m kubernetes --durations=10

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# 500,000 trades x 1,000 scenarios.
bench-day: $(STAMP)
	$(BIN)/python -m benchmarks day

# Dask's scheduler under thousands of simulated workers, and the model of 250,000 compute hours; quarter of an hour.
bench-scale: $(STAMP)
	$(BIN)/python -m benchmarks scale scale_day

# The report's chart library, from the versions that tools/charts pins; needs node and npm.
charts:
	tools/charts/build.sh

# The documentation as a site, in site/; warnings are errors.
docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

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

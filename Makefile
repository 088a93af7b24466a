# Every target sets up what it needs. `make demo` and `make test` are the two commands of the README.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/tools/bin/uv
LOCKED := $(VENV)/.locked-$(shell cat locks/dev.txt locks/uv.txt pyproject.toml | sha256sum | cut -c1-12)
CLUSTER ?= auto
TESTS ?= tests

export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help venv demo test check crds images up down lock benchmarks clean

help:  ## Say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(LOCKED): | preflight
	@echo "── Python packages (hash-pinned, locks/dev.txt)"
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV)/tools && \
		$(VENV)/tools/bin/pip install --quiet --disable-pip-version-check --require-hashes -r locks/uv.txt; }
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes locks/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.locked-*
	@touch $@

.PHONY: preflight
preflight:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed ($(PYTHON) is not on PATH; set PYTHON=/path/to/python3.11)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(PYTHON) is not Python 3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing (Debian: apt-get install python3.11-venv)"; exit 1; }

venv: $(LOCKED)  ## Make the virtual environment from the lock

demo: $(LOCKED)  ## Bring up a Kubernetes, serve two signed models, send them real requests
	@$(BIN)/python -m demo --cluster $(CLUSTER)

.PHONY: prepare
prepare: $(LOCKED)
	@echo "── What the tests run on: Kubernetes, images, models (kept in the cache)"
	@$(BIN)/python -m devcluster build
	@$(BIN)/python -m demo.models build --out build/models

test: check prepare  ## Every test, on real components
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --cluster $(CLUSTER) $(TESTS)

check: $(LOCKED)  ## Style, types, layers, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m sentinel_operator.crdgen --check
	@$(BIN)/python -m protobufs --check

crds: $(LOCKED)  ## Generate CRDs, roles and the reference from the models
	@$(BIN)/python -m sentinel_operator.crdgen

protobufs: $(LOCKED)  ## Generate Python from the .proto files
	@$(BIN)/python -m protobufs

images: $(LOCKED)  ## Build the images
	@$(BIN)/python -m devcluster build

up: $(LOCKED)  ## Bring up the demo's cluster and nothing else
	@$(BIN)/python -m devcluster up

down: $(LOCKED)  ## Remove the demo's cluster and all that it made
	@$(BIN)/python -m devcluster down

benchmarks: $(LOCKED)  ## Measure against peers and bare baselines, and check the gates
	@$(BIN)/python -m benchmarks

lock: $(LOCKED)  ## Resolve the dependencies anew
	@for extra in operator fetch model-server scan agent; do $(MAKE) --no-print-directory locks/$$extra EXTRAS="--extra $$extra"; done
	@$(MAKE) --no-print-directory locks/dev EXTRAS="--all-extras"

.PHONY: locks/%
locks/%:
	@$(UV) pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 --python-platform x86_64-manylinux_2_28 $(EXTRAS) pyproject.toml -o locks/$*.txt

clean: down  ## Remove the cluster and the virtual environment; the cache stays
	@rm -rf $(VENV)

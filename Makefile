# Everything here works from a fresh clone; the first target that needs .venv makes it.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test check bench peers consumers extras pi-test lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## fill .venv with all that development needs (another Python: make install PYTHON=python3.12)

demo: install ## walk the whole road on real photos: train, convert, measure, camera loop, page (at most 15 minutes)
	$(RUN) -m benchmarks.demo

test: install ## run the whole test suite
	$(RUN) -m pytest

check: install ## check format, lint and types
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

bench: install ## measure the latency of the newest run's models
	$(RUN) -m benchmarks.latency

peers: install ## time other people's runtimes beside ours, each in its own environment (PEERS="--run runs/mine")
	$(RUN) -m benchmarks.peers $(PEERS)

consumers: install ## ask all who read such files about a run's: the same labels and answers? (CONSUMERS="--run runs/mine")
	$(RUN) -m tests.consumers $(CONSUMERS)

extras: install ## install and import every extra in a clean environment (EXTRAS="edge web", EXTRAS=--with-gpu)
	$(RUN) -m tests.check_extras $(EXTRAS)

pi-test: install ## try a run's models and the tests of edge/ on emulated Raspberry Pis (root, Debian; PI="--run runs/mine")
	$(RUN) -m tests.pi $(PI)

# --universal: one lock for every Python and processor, Raspberry Pi included. No index address enters a lock.
COMPILE = $(RUN) -m uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate $(LOCKFLAGS) pyproject.toml
MEDIAPIPE := 1.2.2
DEVELOPMENT := edge train convert onnx mqtt web bench datasets dev

lock: install ## write the locks after a change in pyproject.toml (newer releases: make lock LOCKFLAGS=--upgrade)
	$(COMPILE) $(DEVELOPMENT:%=--extra %) --output-file requirements.lock
	$(COMPILE) --extra edge --constraint requirements.lock --output-file edge/requirements.lock
	$(COMPILE) --extra edge-display --constraint requirements.lock --output-file edge/requirements-display.lock
	$(COMPILE) --extra edge-legacy --output-file edge/requirements-legacy.lock
	$(COMPILE) --extra mqtt --no-emit-package numpy --constraint requirements.lock --output-file edge/requirements-mqtt.lock
	echo mediapipe==$(MEDIAPIPE) | $(COMPILE:pyproject.toml=-) --output-file benchmarks/peers/mediapipe.lock
	printf 'ultralytics\nonnx\nonnxruntime\n' | $(COMPILE:pyproject.toml=-) --output-file benchmarks/peers/ultralytics.lock

# Made anew when the lock changes, so that it holds what the lock names and nothing else.
$(VENV)/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "error: Expected Python 3.10 to 3.13, got $$($(PYTHON) --version 2>&1); name one: make install PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: $(PYTHON) can make no virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml edge/__init__.py
	$(RUN) -m pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

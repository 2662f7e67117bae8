# BioTool Book. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN ?= runs/$(if $(filter atlas,$(BACKEND)),laptop,$(BACKEND))
BACKEND ?= atlas
RECIPE ?= laptop
PORT ?= 8136
HOST ?= 127.0.0.1

.PHONY: help setup book test run experiments nano atlas bench check render
help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(READY) ## make .venv with every pinned package (a few minutes, once)
$(READY): requirements/all.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements/all.lock)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/all.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

book: $(READY) ## run every notebook (laptop profile, no network) and render build/book/index.html
	$(BIN)/python -m biotool_lib.notebooks --params notebooks/params/laptop.yaml
	$(MAKE) render

render: $(READY) ## render the notebooks as they are, without running them
	$(BIN)/jupyter-book build . --path-output build/jb -W --keep-going --all
	rm -rf build/book && cp -r build/jb/_build/html build/book
	@echo "open build/book/index.html"

test: $(READY) ## unit tests, every notebook against its outputs (in runs/test), the rendered book
	$(BIN)/python -m pytest -q -n 2 tests --ignore=tests/test_book.py
	rm -rf runs/test
	BIOTOOL_PARAMS=notebooks/params/test.yaml $(BIN)/python -m pytest -q -p no:cacheprovider -p no:xdist --nbval --nbval-cell-timeout=900 --nbval-sanitize-with tests/nbval_sanitize.cfg $$($(BIN)/python -m biotool_lib.notebooks --list)
	$(MAKE) render
	$(BIN)/python -m pytest -q tests/test_book.py

run: $(READY) ## the road without notebooks: make run BACKEND=replay RECORDINGS=folder [RUN=runs/mine] [RECIPE=laptop]
	$(BIN)/python -m biotool_lib.road --run $(RUN) --backend $(BACKEND) --recipe $(RECIPE) --profile laptop $(if $(RECORDINGS),--recordings $(RECORDINGS))

nano: $(READY) ## make the base of the laptop model anew, from made-up tool calls (half an hour, resumable)
	$(BIN)/python -m biotool_lib.nano

experiments: $(READY) ## all arms and seeds, resumable; writes results/
	$(BIN)/python -m biotool_lib.experiments

atlas: $(READY) ## serve the embedded atlas: make atlas [HOST=0.0.0.0] [PORT=8136]
	$(BIN)/python -m biotool_lib.atlas --host $(HOST) --port $(PORT)

bench: $(READY) ## speed, as ratios within one run
	$(BIN)/python -m benchmarks

check: $(READY) ## lint and types
	$(BIN)/ruff check biotool_lib tests benchmarks
	$(BIN)/mypy

# make demo   sets up, trains recommenders and a robot with and without a judge: demo/report.html, demo/tidy.mp4
# make test   sets up, runs the checks and the tests
# make site   builds the documentation: build/site/index.html
# make setup  prepares .venv with everything for all apps
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# uv does not read pip's settings; a folder of wheels that pip is told of serves it as well
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)

.PHONY: setup demo test test-core test-slow lint site clean

setup: .venv/.ready

.venv/.ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "LMGT needs Python 3.11; name it with: make setup PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv -c constraints.txt
	@# without bytecode every process would compile torch anew where writing it is turned off
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e '.[all,slateq,bundled,minari,logs,dev,docs]'
	touch $@
	@echo "ready: . $(BIN)/activate    # then: lmgt --help"

demo: setup
	$(BIN)/python -m apps.cli demo --out demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: setup lint site test-core
	$(BIN)/python -m pytest -n 2

# the core alone, from its wheel, on each Python that is here
test-core: setup
	$(BIN)/python .ci/core.py

# the documentation: build/site/index.html
site: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

test-slow: setup
	$(BIN)/python -m pytest -n 2 -m "slow"

clean:
	rm -rf .venv build demo *.egg-info

# One command for each thing a contributor does. Needs make and Python 3.11 or newer, nothing else.

VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tested without what they would bring along for worlds and displays of their own.
BARE := benchmarl momaland tqdm
SOURCES := envs agents experiments configs tests

.PHONY: help demo test bench tables lint format clean distclean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo "make demo       fit the London twin, train, check, write the dossier (at most 10 minutes)"
	@echo "make test       linters, types, floors, then every test (at most 15 minutes)"
	@echo "make bench      speed of the city model and of learning"
	@echo "make tables     write the pages docs/model-*.md from the model's tables anew"
	@echo "make lint       ruff, mypy and import-linter only"
	@echo "make format     let ruff put the code in shape"
	@echo "make clean      remove build outputs and caches (make distclean: the environment too)"

demo: $(RUN_STAMP)
	$(BIN)/polislab demo

bench: $(RUN_STAMP)
	$(BIN)/polislab bench

tables: $(RUN_STAMP)
	for table in parameters levers shocks indicators concepts; do \
	  $(BIN)/polislab model $$table --markdown docs/model-$$table.md > /dev/null || exit 1; \
	done

test: export OMP_NUM_THREADS = 1
test: lint
	$(BIN)/python -m pytest -n 2

lint: $(TEST_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(TEST_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A stamp is renewed only when the files that name the dependencies change:
# a second call installs nothing.
$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV), a minute or two the first time"
	$(PIP) install -qq -c constraints.txt -e .
	@touch $@

$(TEST_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV), a minute or two the first time"
	$(PIP) install -qq -c constraints.txt -e '.[test,dev]'
	$(PIP) install -qq -c constraints.txt --no-deps $(BARE)
	@touch $(RUN_STAMP) $@

# The first interpreter that is new enough; an environment without pip is made again.
$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3 python3.12 python3.13; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$($$python --version)"; \
	    $$python -m venv --clear $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "$$python cannot make a virtual environment (Debian: apt install python3-venv)" >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "polislab needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python" >&2; \
	exit 1

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find $(SOURCES) -type d -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

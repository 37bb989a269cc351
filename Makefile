# Premortem. `make` says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test lint quality bench targets clean

help:
	@echo "make demo     install, then the whole road on the sample service: findings, a scenario, reports"
	@echo "make test     the whole test suite, with linters and types"
	@echo "make quality  slower: how good templates, cases and findings are, on real recordings"
	@echo "make bench    the numbers the docs claim, each beside a peer or a floor"
	@echo "make targets  install the third-party services that quality runs use (Kinto)"
	@echo "make clean    remove what was built"

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q python3-venv; \
	  else echo "Python's venv module is missing; install it (Debian: apt-get install python3-venv)"; exit 1; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python examples/demo.py

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

test: lint
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not quality"

quality: $(INSTALLED) targets
	@$(BIN)/python -m pytest tests/quality -s

bench: $(INSTALLED)
	@for file in benches/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# The services have venvs of their own: their pins must not meet ours.
targets: .build/kinto/.installed

.build/kinto/.installed: ../shared/targets/kinto/requirements.txt
	@mkdir -p .build
	@$(PYTHON) -m venv .build/kinto
	@.build/kinto/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

clean:
	rm -rf $(VENV) .build build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

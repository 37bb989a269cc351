# Premortem. `make` says what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tests wait more than they compute: for the servers that they start.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(12, max(2, os.cpu_count() * 3 // 2)))')

.PHONY: help install demo test lint quality bench bench-defects bench-generators targets models nginx peers postgres front-end browser mono clean

help:
	@echo "make demo     install, then the whole road on the sample service: findings, a scenario, reports"
	@echo "make test     the whole test suite, with linters and types"
	@echo "make quality  slower: how good templates, cases and findings are, on real recordings"
	@echo "make bench    the numbers the docs claim, each beside a peer or a floor"
	@echo "make bench-defects  errors found and code reached on real services, beside Schemathesis (hours)"
	@echo "make bench-generators  cases a second beside Faker, mimesis, polyfactory, Schemathesis, mostlyai-engine"
	@echo "make targets  install the third-party services that quality runs use (Kinto)"
	@echo "make peers    install the recorders that tests/quality/formats/record.py uses"
	@echo "make front-end  fetch what the Studio's pages need, by npm"
	@echo "make models   install the embedded engine and the built-in language model (200 MB)"
	@echo "make clean    remove what was built"

# Without npm everything but the Studio works; without the encoder questions are understood less often.
install: $(INSTALLED)
	-@$(MAKE) --no-print-directory front-end
	-@$(BIN)/premortem models fetch minilm

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

test: lint postgres nginx front-end browser mono
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not quality"

# The tests start a server of their own from these programs; none has to run.
postgres:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q postgresql; \
	  else echo "PostgreSQL's programs are missing; the tests of stores need them (Debian: apt-get install postgresql)"; exit 1; fi

# Speaks HTTP/2 to the sender's tests, which are skipped where it is missing.
nginx:
	@command -v nginx >/dev/null || test -x /usr/sbin/nginx || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q nginx-light; \
	  else echo "nginx is missing: the tests of HTTP/2 are skipped (Debian: apt-get install nginx-light)"; fi

# What the Studio's pages need: by npm, pinned, into the package, never committed.
front-end: src/premortem/studio/static/vendor/.fetched

src/premortem/studio/static/vendor/.fetched: front-end/package.json front-end/package-lock.json front-end/fetch.py
	@command -v npm >/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q npm; \
	  else echo "npm is missing; the Studio needs it in a checkout (Debian: apt-get install npm)"; exit 1; fi
	@$(PYTHON) front-end/fetch.py
	@touch $@

# The tests of the Studio drive it; they are skipped where it is missing.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q chromium; \
	  else echo "chromium is missing: the tests of the Studio in a browser are skipped (Debian: apt-get install chromium)"; fi

# Compiles and runs the C# that the tests write; they are skipped where it is missing.
mono:
	@command -v mcs >/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q mono-mcs; \
	  else echo "mcs is missing: the tests of C# are skipped (Debian: apt-get install mono-mcs)"; fi

quality: $(INSTALLED) targets models
	@PREMORTEM_CACHE=$(CURDIR)/.build/cache $(BIN)/python -m pytest tests/quality -s

bench: $(INSTALLED)
	@for file in benches/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# Alone on the machine: what runs beside it changes what a time-boxed fuzzer finds.
bench-defects: $(INSTALLED)
	@$(BIN)/python -m benches.defects

# Each other maker of data gets a venv of its own in .build; mostlyai-engine brings torch (1 GB).
bench-generators: $(INSTALLED)
	@PREMORTEM_CACHE=$(CURDIR)/.build/cache $(BIN)/python benches/generate.py
	@$(BIN)/python benches/bench_realism.py --seed 97 --mostly --transformer

# The services have venvs of their own: their pins must not meet ours.
targets: .build/kinto/.installed

.build/kinto/.installed: ../shared/targets/kinto/requirements.txt
	@mkdir -p .build
	@$(PYTHON) -m venv .build/kinto
	@.build/kinto/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# So have the recorders; nginx comes from the system.
peers: .build/mitmproxy/.installed .build/cassettes/.installed

.build/mitmproxy/.installed: Makefile
	@$(PYTHON) -m venv .build/mitmproxy
	@.build/mitmproxy/bin/python -m pip install --quiet --disable-pip-version-check mitmproxy==11.0.2
	@touch $@

.build/cassettes/.installed: Makefile
	@$(PYTHON) -m venv .build/cassettes
	@.build/cassettes/bin/python -m pip install --quiet --disable-pip-version-check \
	  vcrpy==9.4.2 betamax==0.9.0 requests==2.34.2
	@touch $@

# Quality measures the built-in model where it is; nothing else needs it.
models: .build/cache/.installed

.build/cache/.installed: $(INSTALLED) src/premortem/models/fetch.py
	@mkdir -p .build/cache
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[llm]'
	@PREMORTEM_CACHE=.build/cache $(BIN)/premortem models fetch
	@PREMORTEM_CACHE=.build/cache $(BIN)/premortem models fetch minilm
	@touch $@

clean:
	rm -rf $(VENV) .build build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

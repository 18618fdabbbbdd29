# Every target makes and uses its own environment in .venv; nothing else has to be set up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL = for try in 1 2 3; do $(BIN)/pip install --quiet --disable-pip-version-check --retries 5 --timeout 60
PIP_RETRY = && exit 0; echo "installing failed (try $$try of 3)" >&2; sleep 5; done; exit 1
# An installed package has its bytecode; a checkout gets it here, even where writing it on import is switched off.
COMPILE = $(BIN)/python -m compileall -q -j 0 src
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-whole test-storm test-web web web-check test-lowest test-wine lint types layers format protos protos-check tables tables-check bench chaos conformance e2e bench-clients clients clients-go clients-go-protos clients-java clients-java-tables clients-rust clients-rust-protos clients-ts clients-ts-protos attack soak histories constraints clean dev docs docs-serve

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# Not bin/python: where the system has no ensurepip, `venv` fails and leaves that one behind.
$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON) on PATH; say make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11; say make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@echo "making $(VENV)" >&2
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run-installed: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "installing the gateway, the client and the simulator into $(VENV)" >&2
	@$(PIP_INSTALL) -c constraints.txt -e '.[cli,server,tui]' $(PIP_RETRY)
	@touch $@

$(VENV)/.dev-installed: pyproject.toml constraints.txt | $(VENV)/bin/pip
	@echo "installing the development tools into $(VENV)" >&2
	@$(PIP_INSTALL) -c constraints.txt -e '.[dev]' $(PIP_RETRY)
	@touch $@ $(VENV)/.run-installed

$(VENV)/.protos-installed: tools/protos-requirements.txt | $(VENV)/bin/pip
	@$(PYTHON) -m venv --clear .venv-protos || { rm -rf .venv-protos; exit 1; }
	@for try in 1 2 3; do .venv-protos/bin/pip install --quiet --disable-pip-version-check --retries 5 -r tools/protos-requirements.txt $(PIP_RETRY)
	@touch $@

$(VENV)/.docs-installed: tools/docs-requirements.txt | $(VENV)/bin/pip
	@$(PYTHON) -m venv --clear .venv-docs || { rm -rf .venv-docs; exit 1; }
	@for try in 1 2 3; do .venv-docs/bin/pip install --quiet --disable-pip-version-check --retries 5 -r tools/docs-requirements.txt $(PIP_RETRY)
	@touch $@

dev: $(VENV)/.dev-installed ## Environment for development in .venv

demo: $(VENV)/.run-installed ## Live tags from a running gateway (ARGS="--duration 5 --json" for a check)
	@$(COMPILE)
	@$(BIN)/mxgw-py demo $(ARGS)

test: $(VENV)/.dev-installed ## The tests, 3 to 7 minutes; installs 1 GB at first (ARGS="-k name" to choose)
	@$(COMPILE)
	@# Bytecode is kept even where it is switched off: to rewrite the asserts anew would take each process 20 seconds.
	@# Without worksteal the first process gets a twelfth of all tests at once, and they are the longest.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist worksteal $(ARGS)

WHOLE := tests/component/client tests/component/sync tests/component/tui tests/integration tests/faults tests/examples tests/packaging

test-whole: $(VENV)/.dev-installed ## Clients, faults, upgrades, examples, packages: whole gateways in processes of their own
	@$(COMPILE)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist worksteal $(WHOLE) --ignore tests/component/client/test_real_gateway.py -m "not storm" $(ARGS)

test-storm: $(VENV)/.dev-installed ## Short storms of faults over whole gateways, with nothing else on the machine
	@$(COMPILE)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest tests/faults -m storm $(ARGS)

test-web: $(VENV)/.dev-installed ## The dashboard's pages in Chromium, which has to be installed
	@$(COMPILE)
	@MXGATEWAY_BROWSER=1 $(BIN)/python -m pytest tests/browser $(ARGS)

web/node_modules/.installed: web/package.json web/package-lock.json
	@echo "installing what the dashboard's scripts are built with" >&2
	@for try in 1 2 3; do npm ci --prefix web --silent --ignore-scripts && exit 0; echo "installing failed (try $$try of 3)" >&2; sleep 5; done; exit 1
	@touch $@

web: web/node_modules/.installed ## The dashboard's bundle, made from web/ (Node 20 or newer)
	@node web/build.mjs

# Who changes only Python needs no Node: the bundle lies in the repository, and this proves what it was made from.
web-check: web/node_modules/.installed ## Whether the bundle is what web/ gives, and whether its types and tests hold
	@npm run --prefix web --silent check
	@npm run --prefix web --silent test
	@node web/build.mjs --to build/web
	@diff -r build/web src/mxgateway_server/dashboard/static || { echo "the bundle is not what web/ gives; say make web, and commit it" >&2; exit 1; }

histories: $(VENV)/.dev-installed ## 10,000 random histories of alarms under faults, each against an oracle (ARGS="-n 2" for two at once)
	@$(COMPILE)
	@MXGATEWAY_ALARM_EXAMPLES=$${MXGATEWAY_ALARM_EXAMPLES:-10000} $(BIN)/python -m pytest tests/property/test_alarm_sequences.py $(ARGS)

test-wine: $(VENV)/.dev-installed ## The tests on COM, with a stand-in for MXAccess under Wine (root on Debian 12, once)
	@$(COMPILE)
	@tests/wine/lab/setup.sh
	@tests/wine/lab/run.sh $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/wine $(ARGS)

# The tools of the tests have versions of their own; their dependencies must not lift what is tested.
$(VENV)/.lowest-installed: pyproject.toml tools/lowest_versions.py | $(VENV)/.dev-installed
	@echo "installing the lowest versions that the metadata allow into .venv-lowest" >&2
	@$(PYTHON) -m venv --clear .venv-lowest || { rm -rf .venv-lowest; exit 1; }
	@$(BIN)/python tools/lowest_versions.py > .venv-lowest/lowest.txt
	@grep -E '^(blockbuster|hypothesis|psutil|pytest|pytest-asyncio|pytest-timeout|sqlglot)==' constraints.txt > .venv-lowest/tools.txt
	@for try in 1 2 3; do .venv-lowest/bin/pip install --quiet --disable-pip-version-check --retries 5 --prefer-binary \
	  -c .venv-lowest/lowest.txt -r .venv-lowest/tools.txt -e '.[cli,server,sqlserver,postgresql,pandas,tui,fast]' $(PIP_RETRY)
	@touch $@

test-lowest: $(VENV)/.lowest-installed ## Chosen tests with the lowest versions of all dependencies
	@# Without CI: the other drivers of SQL Server are no dependencies, so they may be missing here.
	@env -u CI .venv-lowest/bin/python -m pytest tests/packaging/test_commands_load.py tests/unit/client tests/unit/server/access \
	  tests/unit/server/galaxy tests/unit/tui/test_app.py tests/component/client/test_real_gateway.py \
	  tests/component/galaxy/test_tds.py tests/component/server/test_service.py $(ARGS)

lint: $(VENV)/.dev-installed ## Style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(VENV)/.dev-installed ## Style, mended
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

types: $(VENV)/.dev-installed ## Strict types
	@$(BIN)/mypy

layers: $(VENV)/.dev-installed ## Which package may import which
	@$(BIN)/lint-imports

protos: $(VENV)/.protos-installed ## Generated code from protos/
	@.venv-protos/bin/python tools/generate_protos.py

protos-check: $(VENV)/.protos-installed ## Whether the generated code is what protos/ gives
	@.venv-protos/bin/python tools/generate_protos.py --check

tables: $(VENV)/.dev-installed ## What clients in every language share as data, from the code, into conformance/
	@$(BIN)/python tools/contract_data.py

tables-check: $(VENV)/.dev-installed ## Whether that data is what the code gives
	@$(BIN)/python tools/contract_data.py --check

docs: $(VENV)/.dev-installed $(VENV)/.docs-installed ## The documentation, as a site in site/
	@$(BIN)/python tools/generate_docs.py
	@.venv-docs/bin/zensical build --clean --strict
	@echo "the site is in site/; look at it with make docs-serve" >&2

docs-serve: docs ## The documentation, at http://localhost:8000 (ARGS=8080 for another port); Ctrl-C ends it
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory site $(or $(ARGS),8000)

bench: $(VENV)/.dev-installed ## Speed, as JSON, beside the bare floor of the same run
	@$(COMPILE)
	@$(BIN)/python -m benches $(ARGS)

chaos: $(VENV)/.dev-installed ## A seeded storm of faults over a real gateway, judged (ARGS="--faults 500 --seed 1")
	@$(BIN)/python -m chaos $(ARGS)

conformance: $(VENV)/.dev-installed ## What all clients have to do alike, with each that can be built here (ARGS="--subject python -v")
	@$(BIN)/python -m conformance $(ARGS)

# What the TypeScript client is built with, where it can be built at all.
TS_MODULES := $(if $(shell command -v npm),clients/typescript/node_modules/.package-lock.json)

clients/typescript/node_modules/.package-lock.json: clients/typescript/package-lock.json
	@for try in 1 2 3; do (cd clients/typescript && npm ci --silent) && exit 0; echo "installing failed (try $$try of 3)" >&2; sleep 5; done; exit 1

# eslint and typedoc want an older compiler than the client is built with.
clients/typescript/tools/node_modules/.package-lock.json: clients/typescript/tools/package-lock.json
	@for try in 1 2 3; do (cd clients/typescript/tools && npm ci --silent) && exit 0; echo "installing failed (try $$try of 3)" >&2; sleep 5; done; exit 1

clients-ts: clients/typescript/node_modules/.package-lock.json clients/typescript/tools/node_modules/.package-lock.json $(VENV)/.protos-installed ## The TypeScript client: style, types, documentation, generated code, tests (needs Node.js)
	@.venv-protos/bin/python tools/generate_typescript.py --check
	@cd clients/typescript && npm run --silent check && npm run --silent lint && npm run --silent test && npm run --silent build

clients-ts-protos: clients/typescript/node_modules/.package-lock.json $(VENV)/.protos-installed ## Generated code of the TypeScript client
	@.venv-protos/bin/python tools/generate_typescript.py
	@cd clients/typescript && npm run --silent tables

bench-clients: $(VENV)/.dev-installed $(TS_MODULES) ## Speed of every client beside the floor of its language (ARGS="--rounds 3 --seconds 6")
	@$(COMPILE)
	@$(BIN)/python -m benches.clients $(ARGS)

e2e: $(VENV)/.dev-installed $(TS_MODULES) ## Every client's CLI against a real gateway, compared field by field (ARGS="--languages go")
	@$(COMPILE)
	@$(BIN)/python -m e2e $(ARGS)

# A missing toolchain is no failure on a developer's machine; in CI it is.
clients: ## Every client in another language: build, style, tests; what is not installed is skipped, and said
	@for each in go:clients-go node:clients-ts mvn:clients-java cargo:clients-rust; do \
	  if command -v $${each%%:*} >/dev/null; then $(MAKE) --no-print-directory $${each#*:} || exit 1; \
	  else echo "skipped: $${each%%:*} not found ($${each#*:})" >&2; [ -z "$$CI" ] || exit 1; fi; done

clients-go-protos: $(VENV)/.protos-installed ## Generated code of the Go client
	@.venv-protos/bin/python tools/generate_go.py

clients-go: $(VENV)/.dev-installed $(VENV)/.protos-installed ## The Go client: generated code, style, tests with the race detector
	@clients/go/check.sh

clients-java: ## The Java client: tables, build, tests, style, Javadoc (needs a JDK and Maven)
	@clients/java/check.sh

clients-java-tables: ## Tables of the Java client that all clients share
	@$(PYTHON) tools/generate_java.py

clients-rust-protos: $(VENV)/.protos-installed ## Generated code of the Rust client
	@cd clients/rust && . ./toolchain.sh && ../../.venv-protos/bin/python ../../tools/generate_rust.py

clients-rust: $(VENV)/.protos-installed ## The Rust client: generated code, style, documentation, tests (needs cargo and a C compiler)
	@clients/rust/check.sh

attack: $(VENV)/.dev-installed ## Floods over a real gateway with an honest client beside, judged (ARGS="--flood silent --seconds 8")
	@$(BIN)/python -m attack $(ARGS)

soak: $(VENV)/.dev-installed ## Two hours on a COM worker under Wine: nothing may grow (ARGS="--seconds 600 --growth 2")
	@$(COMPILE)
	@tests/wine/lab/setup.sh >&2
	@tests/wine/lab/run.sh $(BIN)/python -m soak $(ARGS)

constraints: $(VENV)/.dev-installed ## Renews constraints.txt from .venv
	@{ echo "# Versions that the project is tested with; ranges stand in pyproject.toml. Renew with: make constraints"; \
	  $(BIN)/pip freeze --disable-pip-version-check --exclude-editable | grep -vE '^-e|@'; } > constraints.new && mv constraints.new constraints.txt

clean: ## Removes environments and caches
	rm -rf $(VENV) .venv-lowest .venv-protos .venv-docs build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Every target sets itself up: a virtual environment in .venv, made once and again when the dependencies change.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: audit test test-servers test-code soak check bench bench-gateway format reports hooks look clean
.DEFAULT_GOAL := audit

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[all]" --group dev
	@touch $(READY)

# Audit the reference gateway: its code, and the gateway itself in the sandbox. The report is also left in .audit/.
audit: .audit/gateway.json
	@$(BIN)/readiness report .audit/gateway.json --format markdown --output .audit/gateway.md --fail-on none
	@$(BIN)/readiness report .audit/gateway.json

.PHONY: .audit/gateway.json
.audit/gateway.json: $(READY)
	@mkdir -p .audit
	@$(BIN)/readiness audit --format json --output $@ --fail-on none

# Tests that start servers mostly wait: three files of them at a time, those that take longest first. Tests that look at
# code take what they leave of the processors.
CODE := tests/scan tests/report tests/test_rules.py
LONGEST := tests/test_matrix.py tests/probe/test_probes.py tests/test_reports.py
test: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=line test-servers test-code

test-servers: $(READY)
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(CODE:%=--ignore=%) $(LONGEST) tests

test-code: $(READY)
	nice $(BIN)/python -m pytest --numprocesses logical $(CODE)

# What takes long: load with faults for ten minutes, and absolute limits: make soak SECONDS=60
soak: $(READY)
	SOAK_SECONDS=$(SECONDS) $(BIN)/python -m pytest -o python_files='soak_*.py' --timeout 0 --capture no tests/soak

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.generated --check

# Side by side with other linters, on code that is fetched once into .bench/: make bench ONLY=memory,onefile REPEAT=1
bench: $(READY)
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(REPEAT),--repeat $(REPEAT)) $(if $(LARGE),--large $(LARGE))

# The pre-commit hooks as users get them: installed from a clone of this repository, and run by pre-commit and by prek.
hooks: $(READY)
	$(BIN)/python -m pytest tests/daily/prove_hooks.py

# The reference gateway beside a bare pass-through of the same libraries (wants wrk): make bench-gateway REPEAT=1 PARTS=1
# PEERS=1: beside LiteLLM and Portkey too, fetched once (wants node and npm).
bench-gateway: $(READY)
	@$(BIN)/python -m tests.bench.gateway $(if $(REPEAT),--repeat $(REPEAT)) $(if $(PARTS),--parts) $(if $(PEERS),--peers)

# The pages as a browser shows them, on a phone, on a desk and on paper: pictures in .audit/. Needs chromium.
look: $(READY)
	@mkdir -p .audit
	@$(BIN)/readiness report reports/gateway.json --format html --output .audit/gateway.html --fail-on none
	@cp reports/seed.html .audit/seed.html
	@for page in gateway seed; do for width in 390 1280; do chromium --headless --no-sandbox --disable-gpu \
	  --window-size=$$width,2000 --screenshot=.audit/$$page-$$width.png file://$(CURDIR)/.audit/$$page.html; done; \
	  chromium --headless --no-sandbox --disable-gpu --no-pdf-header-footer --print-to-pdf=.audit/$$page.pdf \
	  file://$(CURDIR)/.audit/$$page.html; done

format: $(READY)
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

.PHONY: .audit/seed.json
.audit/seed.json: $(READY)
	@mkdir -p .audit
	@$(BIN)/readiness audit tests/seed --format json --output $@ --fail-on none

# Write what is generated and committed: the reports of the reference gateway and of the flawed service of tests/seed,
# their schema, the catalogue of rules. The audit of the flawed service takes some six minutes.
reports: .audit/gateway.json .audit/seed.json
	$(BIN)/python -m tests.generated

clean:
	rm -rf .venv .audit build dist

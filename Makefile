# Everything a newcomer needs: `make demo` shows the tool at work, `make test` runs every check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint quick install rules man docs pages shots clean

$(VENV)/.runtime: pyproject.toml setup.py constraints.txt mvc/odb/kernel.c
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mvc needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing mvc and what it needs into $(VENV) (a minute or two on a new machine)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/.runtime
	@echo "installing what the tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

install: $(VENV)/.runtime

demo: $(VENV)/.runtime
	@$(BIN)/python -m demo

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

quick: $(VENV)/.test
	$(BIN)/python -m pytest -q -n auto

test: lint
	$(BIN)/python -m pytest -q -n auto --with-slow --with-realdata --with-integrations --with-browser

# man/ is written from the commands
man: $(VENV)/.runtime
	$(BIN)/python -m mvc.cli.manual man

# site/, from docs/
docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# what the tutorial and the how-tos say that their commands print
pages: $(VENV)/.runtime
	$(BIN)/python -m demo.pages docs/tutorial.md docs/how-to/*.md

# the pictures of README.md and of the docs, from real commands; those of the report by the browser chromium
shots: $(VENV)/.test
	$(BIN)/python -m demo.shots docs/images

# what docs/rules.md and the template's policy say of each rule comes from the catalogue
rules: $(VENV)/.runtime
	$(BIN)/python -m mvc.cli.rulebook docs/rules.md .mvc-template/policy.toml

clean:
	rm -rf $(VENV) demo-out site build dist *.egg-info mvc/odb/*.so

# The developers' commands; continuous integration calls these and nothing else.
PYTHON ?= python

.PHONY: lint format types test coverage long bench docs

lint:
	$(PYTHON) -m ruff check skked tests benchmarks docs
	$(PYTHON) -m ruff format --check skked tests benchmarks docs

format:
	$(PYTHON) -m ruff check --fix skked tests benchmarks docs
	$(PYTHON) -m ruff format skked tests benchmarks docs

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

coverage:
	$(PYTHON) -m pytest --cov --cov-report=term-missing:skip-covered

long:
	$(PYTHON) -m pytest -n 0 -m long

bench:
	$(PYTHON) -m benchmarks.tables.run --data "$$SKKED_DATA"

docs:
	$(PYTHON) -m sphinx -W --keep-going -b html docs docs/_build/html

# Each target sets up .venv by itself, on a fresh machine too: Python 3.11 or later is all it needs.
PYTHON ?= python3
BIN := .venv/bin
export PIP_CONSTRAINT := constraints.txt

.PHONY: demo test quick check bench plot clean

demo: .venv/ready            ## train, measure and picture two autoencoders on embedded digits, in under a minute
	$(BIN)/narrows demo --force

test: .venv/ready            ## all tests; those on MNIST need $$NARROWS_DATA
	$(BIN)/python -m pytest -m ''

quick: .venv/ready           ## the tests without the slow ones
	$(BIN)/python -m pytest

check: .venv/ready           ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest tests/test_layers.py tests/test_face.py

bench: .venv/ready           ## the speed of training, compared with other ways and the least time possible (20 minutes)
	$(BIN)/narrows bench speed

plot:                        ## build the plot bundle of live figures again (node 20)
	cd plot && npm ci --ignore-scripts && npm run build

.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build src/*.egg-info .pytest_cache .ruff_cache

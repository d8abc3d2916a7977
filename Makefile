# Each target sets up .venv by itself, on a fresh machine too: Python 3.11 or later is all it needs.
PYTHON ?= python3
BIN := .venv/bin
export PIP_CONSTRAINT := constraints.txt

.PHONY: demo test quick check bench photo plot clean

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

PHOTOS = $(NARROWS_DATA)/photos/train
LICENSED = aitzgorri friends life picosdeeuropa picture-0b picture-1a seeding sunset wine
OTHERS = garden ladybird twowings wood

photo: .venv/ready           ## train the denoiser that ships and put it into the package (hours; continues if interrupted)
	rm -rf build/photos && mkdir -p build/photos/train build/photos/test
	for name in $(LICENSED); do cp $(PHOTOS)/lomiri-$$name-*.webp build/photos/train/; done
	for name in $(OTHERS); do cp $(PHOTOS)/mate-$$name.webp build/photos/test/; done
	$(BIN)/narrows study src/narrows/denoise/photo.toml -o build/photo --resume
	$(BIN)/python -m narrows.model.files.ship build/photo photo "docs/denoise.md says what it was trained on"

plot:                        ## build the plot bundle of live figures again (node 20)
	cd plot && npm ci --ignore-scripts && npm run build

.venv/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build src/*.egg-info .pytest_cache .ruff_cache

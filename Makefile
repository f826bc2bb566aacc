# Each target creates its environment (.venv, .venv-lowest or .venv-torch) and installs what it needs. Only python3 and
# make are required.
# PYTHON=python3.12 selects another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOWEST := .venv-lowest
TORCH := .venv-torch
TEST_TOOLS := hypothesis librosa pytest pytest-timeout pytest-xdist scipy selenium transformers
JOBS ?= 2

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help demo test test-lowest test-torch test-faults test-engines test-deep test-long lint docs bench constraints clean

help:
	@echo "make demo         precompute, verify and plot features of examples/audio"
	@echo "make test         run the tests"
	@echo "make test-lowest  run the tests with the lowest versions of the dependencies"
	@echo "make test-torch   run the tests that need torch (downloads 4 GB and needs 8 GB of disk)"
	@echo "make test-faults  kill and stop jobs, fill disks, run every engine, and the cases left out of test (30 minutes)"
	@echo "make test-engines run jobs on Flink, Spark and Prism (downloads 1 GB; needs Java, Maven and Go; 20 minutes)"
	@echo "make test-deep    compare the bits of thousands of random cases, and read damaged files (15 minutes)"
	@echo "make test-long    measure the memory of two hours of audio (needs 3 GB of disk)"
	@echo "make lint         check style, types and the imports between packages"
	@echo "make docs         build the documentation, draw its gallery, and run its examples"
	@echo "make bench        compare the speed with other libraries (less than 10 minutes)"
	@echo "make constraints  update the versions in constraints.txt"

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v[:2] <= (3, 13) else "audiopipe needs Python 3.11 to 3.13. Found: %d.%d. Name another one: make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(INSTALLED)
	$(BIN)/python examples/demo.py demo

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

# Packages without a wheel are left out: old ones may take an hour to build.
$(LOWEST)/.installed: pyproject.toml
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip compile --quiet --resolution lowest-direct --only-binary :all: --no-annotate --no-header \
		--extra beam --extra dask --extra hf --extra plot pyproject.toml --output-file $(LOWEST)/lowest.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --only-binary :all: \
		--requirement $(LOWEST)/lowest.txt $(TEST_TOOLS)
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps --editable .
	touch $@

test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest --numprocesses $(JOBS)

# torch has an environment of its own because transformers computes with it wherever it is installed, and because its
# build for Linux needs the libraries of CUDA even without a GPU.
$(TORCH)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(TORCH)/bin/uv pip install --quiet --python $(TORCH)/bin/python --constraint constraints.txt \
		--editable '.[beam,hf,test]' torch==2.15.0
	touch $@

test-torch: $(TORCH)/.installed
	$(TORCH)/bin/python -m pytest -k torch tests/distributed/test_two_ranks.py \
		tests/feature_sets/test_torch_data_loader.py tests/parity/test_model_inputs.py \
		tests/parity/test_whisper.py tests/configs/extractors/test_extractor_values.py

test-faults: $(INSTALLED)
	$(BIN)/python -m pytest -m faults --timeout 1800 -s tests

# The programs stay in $AUDIOPIPE_ENGINES_CACHE, ~/.cache/audiopipe/engines if it is not set.
test-engines: $(INSTALLED)
	$(BIN)/python -m pytest -m engines --timeout 1800 -s -rs tests/engines

test-deep: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --hypothesis-profile=deep --timeout 0 tests/parity/test_invariance.py \
		tests/parity/test_preset_invariance.py tests/parity/test_thread_invariance.py tests/audio/test_fuzzed_audio.py

test-long: $(INSTALLED)
	$(BIN)/python -m pytest -m slow --timeout 0 -s tests/precompute/test_long_recordings.py tests/precompute/test_memory.py \
		tests/transform/test_stream_memory.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/sphinx-build --fail-on-warning --keep-going -q -b doctest -D plot_gallery=0 docs docs/_build/doctest
	$(BIN)/sphinx-build --fail-on-warning --keep-going -q -b html docs docs/_build/html

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.speed --quick

constraints:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --no-annotate --no-header --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --all-extras pyproject.toml --output-file constraints.txt

clean:
	rm -rf $(VENV) $(LOWEST) $(TORCH) demo docs/_build docs/gallery

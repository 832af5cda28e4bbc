# Two commands do everything, installation included:
#   make demo   the main job on the built-in images, into runs/demo
#   make test   the tests
# PYTHON chooses the interpreter. On Linux, PyPI's torch brings gigabytes of CUDA along; for the
# CPU build: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

PYTHON ?= python3
PYTEST ?=
OUT ?= runs/demo
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint

demo: $(READY)
	$(BIN)/nas demo --out $(OUT)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(PYTEST)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# torch first and by its exact version, so that no other package chooses one.
$(READY): setup.cfg constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, got %d.%d; set PYTHON" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet torch==2.13.0 -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

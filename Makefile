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

# The main job from images to a measured file on this machine's CPU, of the tests.
tests_of = $(patsubst %,tests/$(1)/test_%.py,$(2))
JOB := tests/test_names.py tests/test_packaging.py tests/conformance/test_space.py \
  tests/nas/data tests/nas/report \
  $(call tests_of,search_spaces,behaviour blocks emptiness files onnx paths reach sorting space \
    supernet) \
  $(call tests_of,nas/training,checkpoint loop losses optimizer phases recalibrate schedule sorting \
    strategies) \
  $(call tests_of,latency_lut,campaign costs cpu fit measure table) \
  $(call tests_of,predictors,cross_validation features files fits linear) \
  $(call tests_of,nas/search,budget minimize operators pareto) \
  $(call tests_of,nas,bad_input cli config dataset export full_disk init interruption light_start \
    measured profile rounds run samples sampling search_ends search_rounds select show tensors \
    terminal weights which_images)

.PHONY: demo test test-job lint

demo: $(READY)
	$(BIN)/nas demo --out $(OUT)

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(PYTEST)

test-job: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" $(JOB) $(PYTEST)

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

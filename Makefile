# `make demo` and `make test` need only make and Python 3.11 or newer. Everything is installed, pinned, in .venv.
PYTHON ?= python3
VENV ?= .venv
OUT ?= demo-result
ARGS ?=
N ?= 10000
SEED ?= 0
GOLDEN ?= golden-result/poses.json

BIN := $(VENV)/bin
TORCH := requirements/torch.txt
LOCK := requirements/dev.txt
# One stamp for one content of the locks, one package description and one place: a second call installs nothing.
KEY := $(shell { cat $(TORCH) $(LOCK) pyproject.toml; pwd; } | cksum | tr ' ' '-')
INSTALLED := $(VENV)/.installed-$(KEY)
PIP := $(BIN)/python -m pip --disable-pip-version-check

# 3D Slicer 5.10's own versions, on its Python where there is one, in an environment of their own.
SLICER_VENV ?= .venv-slicer-5.10
SLICER_LOCK := requirements/slicer-5.10.txt
SLICER_PYTHON ?= $(shell for python in python3.12 $$HOME/.pyenv/versions/3.12.*/bin/python $(PYTHON); do \
  $$python -c 'import venv' 2> /dev/null && echo $$python && break; done)
SLICER_INSTALLED = $(SLICER_VENV)/.installed-$(shell { cat $(SLICER_LOCK); pwd; } | cksum | tr ' ' '-')
# What needs no engine; pip and sockets are tested once, with the other versions.
SLICER_TESTS := $(addprefix Testing/,engine/io engine/case engine/geometry engine/export host mrml panel) \
  --ignore Testing/mrml/engine/test_dependencies.py --ignore Testing/engine/export/igtl

# Triton, and the NumPy that its interpreter needs, before those of .venv: fused kernels run on the CPU for their tests.
FUSED_SITE ?= .venv-fused
FUSED_LOCK := requirements/fused.txt
FUSED_INSTALLED = $(FUSED_SITE)/.installed-$(shell { cat $(FUSED_LOCK); pwd; } | cksum | tr ' ' '-')
FUSED_TESTS := Testing/engine/drr/test_fused_ray_caster.py Testing/engine/gaussians/test_splat_fused.py \
  Testing/engine/gaussians/test_voxel_fused.py

# The engine's packages, each with its face.
PACKAGES = $(patsubst RadGSReg/radgs/%/__init__.py,radgs.%,$(wildcard RadGSReg/radgs/*/__init__.py))

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow coverage test-panel test-slicer-5.10 test-fused golden lint format fuzz screenshots pictures docs wheel install clean distclean

help: ## this table
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## register a vertebra of the bundled phantom; pictures in demo-result/
	$(BIN)/radgs demo --out $(OUT) || { test -s $(OUT)/result.json && test ! -e $(OUT)/OUTDATED.txt; }

test: $(INSTALLED) ## run the tests but the slow ones (ARGS="-k splat" for some of them)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal $(ARGS)

test-slow: $(INSTALLED) ## run the tests that take long, which `make test` leaves out
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal -m slow $(ARGS)

coverage: $(INSTALLED) ## run the tests but the slow ones, and tell which lines of module and engine no test ran
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal --cov --cov-report term-missing $(ARGS)

test-panel: $(INSTALLED) ## test the panel with Slicer's own Python files: SLICER_SOURCE=PATH names Slicer's source tree
	@test -d "$(SLICER_SOURCE)/Base/Python/slicer" || { echo "SLICER_SOURCE names no source tree of 3D Slicer: git clone --depth 1 --branch 5.10 https://github.com/Slicer/Slicer, then make test-panel SLICER_SOURCE=Slicer" >&2; exit 1; }
	SLICER_SOURCE="$(abspath $(SLICER_SOURCE))" OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal Testing/host Testing/mrml Testing/panel $(ARGS)

test-slicer-5.10: $(SLICER_INSTALLED) ## test panel and readers on the versions of 3D Slicer 5.10, without torch
	OMP_NUM_THREADS=1 PYTHONPATH="$(CURDIR)/RadGSReg" $(SLICER_VENV)/bin/python -m pytest -n auto --maxprocesses 8 --dist worksteal $(SLICER_TESTS) $(ARGS)

test-fused: $(INSTALLED) $(FUSED_INSTALLED) ## test the GPU's fused kernels in Triton's interpreter, on the CPU
	OMP_NUM_THREADS=1 TRITON_INTERPRET=1 PYTHONPATH="$(abspath $(FUSED_SITE))" $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal $(FUSED_TESTS) $(ARGS)

golden: $(INSTALLED) ## the demo's poses to GOLDEN, or where that file is there, how far they are from it
	$(BIN)/python Testing/benchmarks/golden_pose.py $(if $(wildcard $(GOLDEN)),--compare,--write) $(GOLDEN)

fuzz: $(INSTALLED) ## damaged inputs at every door, into docs/fuzz.md (N=10000 SEED=0)
	$(BIN)/python Testing/fuzz/fuzz.py --n $(N) --seed $(SEED) --report docs/fuzz.md

lint: $(INSTALLED) ## ruff (rules and format) and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED) ## let ruff format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

screenshots: $(INSTALLED) ## picture every state of the Slicer panel, light and dark, into docs/pictures/panel/
	$(BIN)/python Testing/panel/screenshots.py

pictures: $(INSTALLED) ## picture what results are judged by, and a report, into docs/pictures/judging/ (needs Chromium)
	$(BIN)/python Testing/benchmarks/draw_misregistration.py
	$(BIN)/python Testing/benchmarks/draw_faults.py
	$(BIN)/python Testing/benchmarks/picture_report.py
	$(BIN)/python Testing/benchmarks/animate_flow.py

docs: $(INSTALLED) ## pages of the engine's packages, from their docstrings, into docs/api/
	$(BIN)/pdoc --docformat google --no-show-source --output-directory docs/api $(PACKAGES)

wheel: $(INSTALLED) ## build the engine's wheel into dist/
	rm -rf build dist
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	rm -rf build

install: $(INSTALLED) ## make .venv and install the pinned versions, nothing more
	@echo "$(VENV) is ready."

clean: ## remove builds, caches and the demo's result
	rm -rf build dist .coverage* RadGSReg/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis $(OUT)
	find RadGSReg Testing Resources -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## clean, and remove the environments
	rm -rf $(VENV) $(SLICER_VENV) $(FUSED_SITE)

# torch first and alone: nothing else may choose its build.
$(INSTALLED):
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 or newer is missing: apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) -V) is too old: name a Python 3.11 or newer, as in 'make demo PYTHON=python3.12'" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "Python's venv is missing: apt install python3-venv" >&2; exit 1; }
	@echo "Installing the pinned versions into $(VENV), once; this takes a few minutes."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -r $(TORCH)
	$(PIP) install --no-deps --require-hashes -r $(LOCK)
	$(PIP) install --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.installed-*
	@touch $@

$(SLICER_INSTALLED):
	$(SLICER_PYTHON) -m venv $(SLICER_VENV)
	$(SLICER_VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r $(SLICER_LOCK)
	@rm -f $(SLICER_VENV)/.installed-*
	@touch $@

$(FUSED_INSTALLED): $(INSTALLED)
	rm -rf $(FUSED_SITE)
	$(PIP) install --quiet --no-deps --target $(FUSED_SITE) -r $(FUSED_LOCK)
	@touch $@

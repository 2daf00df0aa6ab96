# Clippings. Each target sets up what it needs, once; `make help` lists them.

PYTHON ?= python3
VENV   ?= .venv
CORPUS ?= corpus
# The sample articles are indexed beside their folder, your own inside it.
INDEX  ?= $(if $(filter corpus,$(CORPUS)),.index,$(CORPUS)/.index)
HOST   ?= 127.0.0.1
PORT   ?= 7860

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --progress-bar off \
	--constraint constraints.txt
SET_UP_FROM := pyproject.toml constraints.txt

# $(call step,NAME,COMMAND) runs a command between two lines that say what it is and how long it took. A comma in
# COMMAND must come out of a variable.
define step
@printf '\n== %s\n' '$(1)'; start=$$(date +%s); ( $(2) ); status=$$?; \
	printf '== %s: %s, %s s\n' '$(1)' "$$([ $$status -eq 0 ] && echo done || echo FAILED)" \
		$$(( $$(date +%s) - start )); exit $$status
endef

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help chat test lint fmt bench bench-peers clean

help: ## list the targets
	@echo 'make TARGET [VARIABLE=value …]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'
	@echo 'Variables: CORPUS=$(CORPUS) INDEX=$(INDEX) HOST=$(HOST) PORT=$(PORT) PYTHON=$(PYTHON)'

chat: $(VENV)/.chat-ready ## read the articles of CORPUS and open the chat at HOST:PORT
	@$(BIN)/python -m index build '$(CORPUS)' --index '$(INDEX)'
	@$(BIN)/python -m ui --host '$(HOST)' --port '$(PORT)' --index '$(INDEX)'

test: $(VENV)/.dev-ready ## check style and types and run every test, in a browser too
	@$(MAKE) --no-print-directory lint
	$(call step,browser,$(BIN)/python tests/install_browser.py)
	$(call step,tests,marks=$$($(BIN)/python tests/install_browser.py --marks); \
		$(BIN)/python -m pytest $${marks:+-m "$$marks"})
	@$(BIN)/python tests/install_browser.py --left-out

lint: $(VENV)/.dev-ready ## check style and types, changing nothing
	$(call step,lint,$(BIN)/ruff check . && $(BIN)/ruff format --check .)
	$(call step,types,$(BIN)/mypy)

fmt: $(VENV)/.dev-ready ## put the code into the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev-ready ## measure speed and quality beside the bare libraries (ARGS='FOLDER --quality FILE …')
	@$(BIN)/python bench/speed/bench_speed.py $(ARGS)

bench-peers: $(VENV)/.dev-ready ## the same beside txtai and Chroma, in environments of their own (ARGS=…)
	@$(BIN)/python bench/peers/run.py $(ARGS)

clean: ## remove everything that make and the tests made
	rm -rf '$(VENV)' .venv-peers .index build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/screenshots
	find bench index qa tests ui -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. For the tests PyTorch goes first and alone: a build without CUDA that is already there, or that pip was told
# to look for, then satisfies everything that follows. The chat needs none.

$(VENV)/.made: $(SET_UP_FROM)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Clippings needs Python 3.11 or later; name it: make PYTHON=python3.12 …")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear '$(VENV)'
	@touch $@

$(VENV)/.chat-ready: $(VENV)/.made
	$(call step,set-up: Clippings,$(PIP) --editable '.[ui]')
	@touch $@

$(VENV)/.dev-ready: $(VENV)/.made
	$(call step,set-up: PyTorch,$(PIP) torch)
	$(call step,set-up: Clippings and its tests,$(PIP) --editable '.[dev]')
	@touch $@ $(VENV)/.chat-ready

# Publishes complete chunks of Wikidata to the Hugging Face Hub. `make` alone lists what it can do.
# The variables below and the settings of src/wikidata/config.py, which `make` lists too, can be given on the command
# line or in the environment; make passes them on.

# The chunk, such as 3; none means every one that is complete and not yet pushed.
CHUNK ?=
# The table; none means all.
TABLE ?=
# The Python to make the virtual environments with, 3.11 or newer.
PYTHON ?= python3
# 1: make bench and make rehearsal do a smaller one.
QUICK ?=
# Flags for python -m scripts.bench; --help lists them.
BENCH_FLAGS ?=
# The same for python -m scripts.rehearsal.
REHEARSAL_FLAGS ?=
# Flags for pytest; -n is the number of processes.
PYTEST_FLAGS ?= -n 3
# What make test-matrix and test-hfd upload with; also library.
UPLOADERS ?= huggingface-cli hf1 hf
# The token, and where the stored login lies; read by the Hub's own tools.
#   HF_TOKEN, HF_HOME

VENV := .venv
HF := .venv-hf
HF1 := .venv-hf1
READERS := .venv-readers
export PYTHON QUICK
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# The Python that runs our own commands. A push passes on its own, which may be another than ours.
export WIKIDATA ?= $(CURDIR)/$(VENV)/bin/python

# CHUNK and TABLE are looked at unexpanded, before a shell or Python sees them.
without = $(if $(1),$(subst $(firstword $(1)),,$(call without,$(wordlist 2,99,$(1)),$(2))),$(2))
LETTERS := a b c d e f g h i j k l m n o p q r s t u v w x y z
ifneq ($(call without,0 1 2 3 4 5 6 7 8 9,$(value CHUNK)),)
$(error CHUNK=$(value CHUNK) is not a chunk number: give a whole number, such as CHUNK=3)
endif
ifneq ($(call without,$(LETTERS),$(value TABLE)),)
$(error TABLE=$(value TABLE) is not a table: give one, such as TABLE=labels)
endif

# The newest CLI is not part of our own environment, which has the last one with huggingface-cli.
NEWEST = $(if $(filter hf,$(UPLOADER)),$(HF)/ready)

.DEFAULT_GOAL := help
.PHONY: help setup demo push fold submit status page verify sync prune card hub bench rehearsal test test-matrix test-hfd test-slurm lint format lock clean
.SILENT:
MAKEFLAGS += --no-print-directory
.SUFFIXES:

help: ## list targets and variables
	awk -f scripts/help.awk Makefile
	PYTHONPATH=src "$$PYTHON" -m wikidata.config

setup: $(VENV)/runtime $(NEWEST) ## make the virtual environment that everything runs in; UPLOADER=hf: that of the newest CLI too

push: $(VENV)/runtime $(NEWEST) ## push CHUNK, or every chunk that is complete and not yet pushed
	"$$WIKIDATA" -m wikidata push $(ONLY_CHUNK) $(ONLY_TABLE)

fold: $(VENV)/runtime $(NEWEST) ## put the files of consecutive chunks together, once all are pushed
	"$$WIKIDATA" -m wikidata fold $(ONLY_TABLE)

submit: $(VENV)/runtime $(NEWEST) ## let Slurm push CHUNK, or every due chunk, TASKS_AT_ONCE at a time, and fold afterwards
	"$$WIKIDATA" -m wikidata submit $(ONLY_CHUNK) $(ONLY_TABLE)

status: $(VENV)/runtime ## show how far the publication is and what needs attention; ALL=1 lists every chunk
	"$$WIKIDATA" -m wikidata status $(ONLY_CHUNK)

page: $(VENV)/runtime ## write the same as a page to look at, to PAGE or wikidata.html
	"$$WIKIDATA" -m wikidata page

verify: $(VENV)/runtime ## compare the repos, or the copy in FOLDER, with their manifests; DEEP=1 reads files; change nothing
	"$$WIKIDATA" -m wikidata verify $(ONLY_CHUNK) $(ONLY_TABLE)

sync: $(VENV)/runtime ## make the manifests on this box those of the repos; what a new box runs first
	"$$WIKIDATA" -m wikidata sync $(ONLY_TABLE)

prune: $(VENV)/runtime ## list the files of CHUNK on the Hub that are no longer produced; YES=1 deletes them
	"$$WIKIDATA" -m wikidata prune $(ONLY_CHUNK) $(ONLY_TABLE)

card: $(VENV)/runtime ## print the dataset card of TABLE that the next push would publish
	"$$WIKIDATA" -m wikidata card $(ONLY_TABLE)

demo: $(VENV)/dev $(NEWEST) ## push a small sample to a Hub on localhost, and read it back
	"$$WIKIDATA" -m scripts.demo

hub: $(VENV)/dev ## run a Hub on localhost in the foreground, and say what to export to use it
	"$$WIKIDATA" -m localhub --root demo/hub

bench: $(VENV)/dev $(HF)/ready $(READERS)/ready ## measure against what a user would run instead; QUICK=1 for a smoke run
	"$$WIKIDATA" -m scripts.bench $(BENCH_FLAGS)

rehearsal: $(VENV)/dev $(READERS)/ready ## push and fold all 113 chunks, small ones, to a Hub with quota and faults; QUICK=1 for ten of them
	"$$WIKIDATA" -m scripts.rehearsal $(REHEARSAL_FLAGS)

test: $(VENV)/dev $(READERS)/ready ## run all tests
	"$$WIKIDATA" -m pytest -m 'not slurm' $(PYTEST_FLAGS)

test-matrix: $(VENV)/dev $(HF1)/ready $(HF)/ready $(READERS)/ready ## run the end-to-end tests with every generation of the CLI
	"$$WIKIDATA" -m pytest -m matrix $(WITH_UPLOADERS) $(PYTEST_FLAGS)

test-hfd: $(VENV)/dev $(HF1)/ready $(HF)/ready ## the same against hfd, a Hub that is not ours; HFD is the path of its program
	HFD="$${HFD:?is the path of hfd, see https://github.com/matrixhub-ai/hfd}" "$$WIKIDATA" -m pytest -m foreign --hub=hfd $(WITH_UPLOADERS) $(PYTEST_FLAGS)

test-slurm: $(VENV)/dev ## run the tests on a Slurm cluster of two nodes on this machine, if slurmctld, slurmd and munged are installed
	"$$WIKIDATA" -m pytest -m slurm $(PYTEST_FLAGS)

lint: $(VENV)/dev ## run the linters and the type checker
	ruff check . && ruff format --check . && mypy && lint-imports && shellcheck .ci/run scripts/*.sh scripts/*.sbatch

format: $(VENV)/dev ## format the code
	ruff check --fix . && ruff format .

lock: ## compile the lock files, requirements/*.txt
	sh scripts/lock.sh

include src/wikidata/upload/upload.mk

clean: ## remove the virtual environments and the demo
	rm -rf $(VENV) $(HF) $(HF1) $(READERS) demo

WITH_UPLOADERS = $(foreach each,$(UPLOADERS),--uploader=$(each))
ONLY_CHUNK = $(if $(CHUNK),--chunk $(CHUNK))
ONLY_TABLE = $(if $(TABLE),--table $(TABLE))

# An environment does not survive being moved: one whose stamp names another folder is recreated.
elsewhere = $(if $(subst :$(CURDIR):,,:$(file <$(1)):),$(1))
.PHONY: $(foreach stamp,$(VENV)/place $(HF)/ready $(HF1)/ready $(READERS)/ready,$(call elsewhere,$(stamp)))

$(VENV)/place:
	sh scripts/setup.sh place

$(VENV)/runtime: requirements/runtime.txt pyproject.toml $(VENV)/place
	sh scripts/setup.sh runtime

$(VENV)/dev: requirements/dev.txt pyproject.toml $(VENV)/place
	sh scripts/setup.sh dev

$(HF)/ready $(HF1)/ready $(READERS)/ready: .venv-%/ready: requirements/%.txt
	sh scripts/setup.sh $*

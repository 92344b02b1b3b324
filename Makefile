# `make repro` runs the pipeline, `make test` the tests; both install what they need first.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Where it is set, every start would compile TensorFlow anew: 15 s more, each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup repro ucf101 test quick mutants lint mlflow airflow worker retrain stylize backup restore
.DEFAULT_GOAL := help

help: ## list these targets
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(VENV)/.installed ## make .venv from the pinned requirements

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11 to 3.13 is needed; $(PYTHON) is $$($(PYTHON) -V). Set PYTHON=python3.11"; exit 1; }
	@# uv installs in a third of pip's time; where it is missing, pip brings the pinned one.
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV); \
	else \
	  $(PYTHON) -m venv $(VENV) && sed -n '/^uv==/,/[^\\]$$/p' requirements.txt | \
	    $(VENV)/bin/python -m pip install --quiet --require-hashes -r /dev/stdin; \
	fi
	@uv pip sync --quiet --require-hashes --python $(VENV)/bin/python requirements.txt || \
	  $(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements.txt
	@touch $@

repro: setup ## run the whole pipeline, bring MLflow up to date, print the table
	@# A copy without git, such as GitHub's "Download ZIP": DVC must be told.
	@if git rev-parse --git-dir >/dev/null 2>&1; then \
	  ! grep -qs no_scm .dvc/config.local || dvc config --local --unset core.no_scm; \
	else dvc config --local core.no_scm true; fi
	dvc repro
	@python -m pipeline track
	@cat results/comparison.md

ucf101: setup ## measure all networks on UCF101's three splits; CLIPS=FOLDER, or downloads
	python -m benchmarks.accuracy $(if $(CLIPS),--clips $(abspath $(CLIPS))) $(OPTIONS)
	python -m benchmarks.readme
	python -m benchmarks.charts

test: setup ## run the tests
	pytest --numprocesses 2 --durations 15

quick: setup ## run the tests that take no more than a few seconds each
	pytest --numprocesses 2 --durations 15 -m 'not slow'

mutants: setup ## change the code that must not be wrong, and count the changes that tests notice
	mutmut run
	mutmut results

lint: setup ## run the linters and the type checker
	ruff check
	ruff format --check
	mypy
	hadolint docker/Dockerfile docker/*.Dockerfile
	shellcheck $$(git grep -lE '^#!.*sh$$|^# shellcheck shell')
	@# There is no wheel of it for some machines.
	! command -v docker-compose >/dev/null || \
	  docker-compose --file docker/compose.yaml --file docker/compose.gpu.yaml config --quiet

mlflow: setup ## serve the MLflow UI on 127.0.0.1:5000
	mlflow/serve

airflow: $(VENV)/.airflow ## run Airflow on 127.0.0.1:8080, until it is stopped
	airflow/serve

worker: $(VENV)/.airflow ## work for an Airflow on another machine; docs/several-machines.md
	airflow/service worker

retrain: $(VENV)/.airflow ## trigger the DAG retrain and follow it; PARAMS='{"dataset.split": 2}'
	@python airflow/trigger.py retrain '$(or $(PARAMS),{})'

stylize: $(VENV)/.airflow ## trigger the DAG stylize and follow it; PARAMS='{"style": "starry_night.jpg"}'
	@python airflow/trigger.py stylize '$(or $(PARAMS),{})'

# Here the stores are DVC's cache and MLflow's folder, and the repository is this one.
HERE = DVC_REMOTE="$$(dvc cache dir)" MLFLOW_ARTIFACTS=mlruns RETRAIN_REPOSITORY=.

backup: setup ## save models, registry, data and runs to BACKUP; SYSTEM=docker: of the containers
	@test -n "$(BACKUP)" || { echo "name a place outside: make backup BACKUP=/mnt/backups/today"; exit 1; }
	@if [ "$(SYSTEM)" = docker ]; then docker/backup save "$(BACKUP)"; \
	else $(HERE) python docker/archive.py save "$(BACKUP)"; fi

restore: setup ## bring back what `make backup` saved to BACKUP; SYSTEM=docker: to the containers
	@test -n "$(BACKUP)" || { echo "name the backup: make restore BACKUP=/mnt/backups/today"; exit 1; }
	@if [ "$(SYSTEM)" = docker ]; then docker/backup load "$(BACKUP)"; \
	else $(HERE) python docker/archive.py load "$(BACKUP)"; fi

$(VENV)/.airflow: $(VENV)/.installed requirements-airflow.txt
	@uv pip install --quiet --no-deps --require-hashes --python $(VENV)/bin/python -r $(word 2,$^) || \
	  $(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r $(word 2,$^)
	@touch $@

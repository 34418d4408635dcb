# All commands of the repository. Needs make and Python 3.11 or newer; installs the rest, once, inside this folder.

.DEFAULT_GOAL := help
.PHONY: help demo local review test chaos fuzz permissions second-engine benchmark cost lint scan package synth bootstrap deploy diff destroy clean

# The first Python that is new enough; `make PYTHON=/path/to/python3.12 demo` uses another one.
ifndef PYTHON
PYTHON := $(shell for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$candidate && break; done)
endif

# Images for containers often set it; without byte code, every command and every test compiles its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

PORT ?= 4566
# The profile that ARGS has for the CDK, for the commands beside it.
PROFILE_IN_ARGS = $(shell printf '%s\n' '$(ARGS)' | grep -oE -- '--profile[= ]+[^ ]+')
# Node, which the CDK needs, comes with the virtual environment.
IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"
RUN := $(IN_VENV) .venv/bin/python
CDK := $(IN_VENV) JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1 node_modules/.bin/cdk
SET_UP = @$(if $(PYTHON),,echo 'Gatehouse needs Python 3.11 or newer as python3 (or: make PYTHON=/path/to/python3).' >&2; exit 1;) \
	$(PYTHON) -m tools.set_up

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: ## moderate sample images on this machine, from upload to verdict (IMAGES=folder or file for your own; ANALYZER=)
	$(SET_UP) runtime small-model
	@$(RUN) -m demo.demo $(if $(IMAGES),--images "$$IMAGES") $(if $(ANALYZER),--analyzer "$$ANALYZER")

local: ## run the same pipeline until you stop it, to try it by hand (PORT=4566)
	$(SET_UP) runtime small-model aws-cli
	@$(IN_VENV) exec .venv/bin/python -m demo --port $(PORT)

review: ## open the review page on this machine, in front of drawn uploads (ARGS="--port 8010" for a port of your own)
	$(SET_UP) runtime
	@$(IN_VENV) exec .venv/bin/python -m demo.review $(ARGS)

test: lint ## check style and types, and run all tests that do not take long (docs/testing.md)
	$(SET_UP) test small-model aws-cli console-example onnx-example browser
	@$(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

chaos: ## inject faults at every step: a table of them, then randomized runs (ARGS=table or random; docs/testing.md)
	$(SET_UP) test
	@$(RUN) -m tests.chaos $(ARGS)

fuzz: ## feed hostile input to every parser of outside data (ARGS="--cases 100000 --seed 1"; --replay, docs/testing.md)
	$(SET_UP) test
	@$(RUN) -m tests.fuzz $(ARGS)

benchmark: ## measure the image engine on this machine, as ratios (ARGS=rate, auto, kill, fast, flood or poison; minutes)
	$(SET_UP) test
	@$(RUN) -m tests.benchmarks.image_engine $(ARGS)

permissions: ## remove each permission in turn and check that something fails (ARGS=parts of roles' names; minutes)
	$(SET_UP) test
	@$(RUN) -m tests.permissions $(ARGS)

second-engine: ## run the workflows on a second Step Functions interpreter and compare (needs Python 3.13)
	$(SET_UP) test second-engine
	@$(RUN) -m tests.second_engine

cost: ## calculate what a million images cost besides Rekognition: prices times counted calls (docs/cost.md)
	$(SET_UP) test
	@$(RUN) -m tests.benchmarks.cost

lint: ## check style and types only
	$(SET_UP) test
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy .

scan: ## check the templates with an independent scanner (Checkov)
	$(SET_UP) test checkov
	@$(RUN) -m tests.scan

package: ## build the distributions of the command, gatehouse-moderation, in dist/
	$(SET_UP) test
	@$(RUN) -m tools.package

synth: ## write the CloudFormation templates to cdk.out
	$(SET_UP) runtime
	@CDK_OUTDIR=cdk.out $(RUN) app.py && echo 'The templates are in cdk.out.'

bootstrap: ## prepare your AWS account and Region for the CDK, once
	$(SET_UP) runtime cdk-cli
	@$(CDK) bootstrap $(ARGS)

deploy: ## deploy to the AWS account and Region of your credentials (ARGS= is passed to cdk)
	$(SET_UP) runtime cdk-cli
	@$(if $(findstring --profile,$(ARGS)),,$(RUN) -m stacks.credentials)
	@$(RUN) -m gatehouse.cli doctor --before-deploy $(PROFILE_IN_ARGS)
	@$(CDK) deploy --all $(ARGS)
	@echo "Notifications of a new bucket take about five minutes to start; ./gatehouse reconcile finds uploads before that."

diff: ## compare the deployed stacks with the ones that would be deployed
	$(SET_UP) runtime cdk-cli
	@$(CDK) diff $(ARGS)

destroy: ## delete the deployed stacks; the data stays (docs/remove.md has what to do before; ARGS= is passed to cdk)
	$(SET_UP) runtime cdk-cli
	@$(if $(findstring --profile,$(ARGS)),,$(RUN) -m stacks.credentials)
	@$(CDK) destroy --all $(ARGS)

clean: ## remove everything that make has installed or written
	rm -rf .venv .venv-aws .venv-checkov .venv-second-engine .cache dist node_modules examples/console/node_modules tests/browser/node_modules cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

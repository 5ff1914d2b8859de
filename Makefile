# Two commands matter: `make dense-evidence` and `make test`. Both build .venv when it is missing or out of date.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOSE ?= 1000
VIEW ?= dense
PROFILE ?= laptop
BACKEND ?= torch
BASE ?=
HUB ?= reports/$(VIEW)_$(DOSE)_$(PROFILE)
CLOBBER ?=
REPLICATE ?= 0
REPLICATES ?= 1
SAMPLE ?= leaves
PROBE ?= zone-plate
ARMS ?=
SELECT ?=
ONE_TRAINING ?=
SET ?=
SETTINGS ?=
WORKFLOW_PROFILE ?= local
SAMPLES ?= $(SAMPLE)
PROBES ?= $(PROBE)
DISTURBED ?= none
DOSES ?= 1000 10000 100000
VIEWS ?= dense sparse
export AUTHORITATIVE_CMDS_DOC ?= docs/TESTING_GUIDE.md

# A name that is not known here would be ignored in silence: ARM=map instead of ARMS=map.
KNOWN := DOSE VIEW PROFILE BACKEND BASE HUB CLOBBER REPLICATE REPLICATES SAMPLE PROBE ARMS SELECT ONE_TRAINING SET SETTINGS \
	WORKFLOW_PROFILE SAMPLES PROBES DISTURBED DOSES VIEWS DATA MAE RESOLUTION FIELD FLUX OVERHEAD RESPONSE OUT NAME HUBS FUZZ \
	PYTHON VENV AUTHORITATIVE_CMDS_DOC SHELL MAKEFLAGS
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
ifneq ($(filter-out $(KNOWN),$(GIVEN)),)
$(error unknown: $(filter-out $(KNOWN),$(GIVEN)); fix: names are in capitals, one of $(filter-out SHELL MAKEFLAGS,$(KNOWN)))
endif
ifneq ($(BASE),)
ifneq ($(filter SAMPLE PROBE SAMPLES PROBES,$(GIVEN)),)
$(error BASE=$(BASE) brings its own object and probe; fix: leave out $(filter SAMPLE PROBE SAMPLES PROBES,$(GIVEN)))
endif
endif

run = $(BIN)/python -m studylib dense --hub "$(HUB)" --dose "$(DOSE)" --view "$(VIEW)" --splits train test \
	--replicate "$(REPLICATE)" --sample "$(SAMPLE)" --probe "$(PROBE)" --disturbed "$(DISTURBED)" $(common)
common = --profile "$(PROFILE)" --backend "$(BACKEND)" $(if $(ARMS),--arms $(ARMS)) $(if $(SELECT),--select $(SELECT)) $(if $(BASE),--base "$(BASE)") \
	--workflow-profile "$(WORKFLOW_PROFILE)" $(if $(SET),--set $(SET)) $(if $(SETTINGS),--settings "$(SETTINGS)") $(if $(CLOBBER),--clobber)
study = $(BIN)/python -m studylib response --hub "$(HUB)" --samples $(SAMPLES) --probes $(PROBES) --disturbed $(DISTURBED) --doses $(DOSES) \
	--views $(VIEWS) --replicates "$(REPLICATES)" $(if $(ONE_TRAINING),--one-training $(ONE_TRAINING)) $(common)

.DEFAULT_GOAL := help
.PHONY: plan planning fuzz help dense-evidence sparse-evidence evidence response measured inspect collect-response publish publish-samples collect test nbval notebooks lab conditions ranking selection positions transfer ablation seconds limits orientation samples bench study-speed large index verify record mapped-tests test-cluster docs lint clean-hub

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

dense-evidence: VIEW := dense
dense-evidence: $(VENV)/ready  ## the main job: every stage for DOSE (1000) and view dense
	$(run)

sparse-evidence: VIEW := sparse
sparse-evidence: $(VENV)/ready  ## the same for view sparse
	$(run)

evidence: $(VENV)/ready  ## any run: DOSE= VIEW= PROFILE= SAMPLE= PROBE= DISTURBED= ARMS= SELECT= HUB= BASE= BACKEND= REPLICATE= SET= WORKFLOW_PROFILE= CLOBBER=1
	$(run)

response collect-response publish: HUB := $(if $(filter file,$(origin HUB)),reports/response_$(PROFILE),$(HUB))
measured: HUB := $(if $(filter file,$(origin HUB)),reports/measured_$(PROFILE),$(HUB))
response: $(VENV)/ready  ## dose and overlap response: SAMPLES= PROBES= DISTURBED= DOSES= VIEWS= REPLICATES= ARMS= SELECT= ONE_TRAINING= PROFILE= HUB= SET= WORKFLOW_PROFILE=; resumes
	$(study)

measured: $(VENV)/ready  ## dose and overlap response of a measured scan: DATA= DOSES= VIEWS= ARMS= SELECT= ONE_TRAINING= PROFILE= HUB=; resumes
	@test -n "$(DATA)" || { echo "error: give DATA=scan, a measured scan (make inspect DATA=scan tells what it holds)" >&2; exit 2; }
	$(study) --data $(DATA)

inspect: $(VENV)/ready  ## what a measured scan holds and lacks: DATA= (files of one scan)
	$(BIN)/python -m studylib inspect $(DATA)

plan: $(VENV)/ready  ## dose, step and arm for a wanted image: BASE= or SAMPLE= PROBE=, MAE= or RESOLUTION=, FIELD= FLUX= OVERHEAD= RESPONSE= OUT=
	$(BIN)/python -m studylib plan $(if $(BASE),--base $(BASE),--sample $(SAMPLE) --probe $(PROBE)) \
		$(if $(MAE),--mae $(MAE)) $(if $(RESOLUTION),--resolution $(RESOLUTION)) $(if $(FIELD),--field $(FIELD)) $(if $(FLUX),--flux $(FLUX)) \
		$(if $(OVERHEAD),--overhead $(OVERHEAD)) $(if $(RESPONSE),--response $(RESPONSE)) $(if $(OUT),--out $(OUT))

planning: $(VENV)/ready  ## how far plans are off on other objects and probes, to docs/planning.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.planning

collect-response: $(VENV)/ready  ## print every command of make response, to be run by hand; write nothing
	@$(study) --collect-only

publish: $(VENV)/ready  ## a finished study of HUB as documents: docs/response/NAME.md, its curves and its response.json
	$(BIN)/python -m benchmarks.publish_response --hub "$(HUB)" --name "$(or $(NAME),$(PROFILE))"

publish-samples: $(VENV)/ready  ## finished studies of one sample each (HUBS=) on one page: docs/response/samples.md
	$(BIN)/python -m benchmarks.publish_samples --hub $(HUBS)

conditions: $(VENV)/ready  ## every dose, view, sample and probe, REPLICATES (1), to docs/conditions.md; resumes
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/conditions.py --replicates $(REPLICATES)

ranking: $(VENV)/ready  ## how well counts that no arm was fitted to rank the arms, from docs/conditions.csv to docs/ranking.md
	$(BIN)/python -m benchmarks.ranking

selection: $(VENV)/ready  ## options of every arm chosen by split counts, to docs/selection.md; resumes
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/selection.py

positions: $(VENV)/ready  ## what 1, 4 and 16 times the training positions bring to the networks, to docs/positions.md; resumes
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/positions.py

transfer: $(VENV)/ready  ## networks trained on one dose, sample or probe and used on another, to docs/transfer.md; resumes
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.transfer

ablation: $(VENV)/ready  ## what each part of PtychoPINN brings, to docs/ablation.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.ablation

seconds: $(VENV)/ready  ## seconds to a quality, every arm, with and without training, to docs/seconds.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.seconds_to_quality

limits: $(VENV)/ready  ## what the photons allow beside what the arms reach, to docs/limits.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.limits

orientation: $(VENV)/ready  ## a scan (DATA=) scrambled in all sixteen ways, and what is found, to docs/orientation.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.orientation $(DATA)

samples: $(VENV)/ready  ## the picture of the built-in objects and probes, docs/samples.png
	$(BIN)/python benchmarks/samples_picture.py

collect: $(VENV)/ready  ## print every command of the run, to be run by hand; write nothing
	@$(run) --collect-only

# Two tests side by side, one thread each: two threads each on two cores wait for one another.
test: $(VENV)/ready  ## all tests, the stage notebooks included
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --ignore tests/cluster

test-cluster: $(VENV)/ready  ## a study on a SLURM of this machine, wants Debian's slurm-wlm and munge
	$(BIN)/python -m pytest tests/cluster

NBVAL = $(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=300 -p no:cacheprovider
papermill = $(BIN)/python -m papermill --no-progress-bar notebooks/$(1).ipynb reports/scratch/notebooks/$(1)_$(2).ipynb -p arm $(2)
# The stage notebooks run one arm each: the others are run beside them, with papermill.
define OTHERS
$(call papermill,03_train,baseline)
$(foreach arm,pinn baseline map pinn_map,$(call papermill,04_reconstruct,$(arm))
)
endef
TRAINED := $(addprefix notebooks/,00_design.ipynb 01_generate.ipynb 02_overlap.ipynb 03_train.ipynb 03_select.ipynb)
COMPARED := $(addprefix notebooks/,04_reconstruct.ipynb 05_compare.ipynb 05_limit.ipynb 05_uncertainty.ipynb 06_evidence.ipynb)

# One thread, as in a run: with two, sums are rounded otherwise.
nbval notebooks: export OMP_NUM_THREADS := 1
nbval: $(VENV)/ready  ## the stage notebooks against their stored outputs, on the smoke profile
	rm -rf reports/scratch
	$(NBVAL) $(TRAINED)
	$(OTHERS)
	$(NBVAL) $(COMPARED) notebooks/explore.ipynb notebooks/start.ipynb

# The outputs of cells tagged not-stored (progress bars, large pictures) are left out of the repository.
define store
$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
	--ExecutePreprocessor.store_widget_state=False $(1)
$(BIN)/jupyter nbconvert --to notebook --inplace --TagRemovePreprocessor.enabled=True \
	--TagRemovePreprocessor.remove_all_outputs_tags=not-stored $(1)

endef

notebooks: $(VENV)/ready  ## run the stage notebooks on the smoke profile and store their outputs
	rm -rf reports/scratch
	$(foreach notebook,$(TRAINED),$(call store,$(notebook)))
	$(OTHERS)
	$(foreach notebook,$(COMPARED),$(call store,$(notebook)))

lab: $(VENV)/ready  ## JupyterLab, open at notebooks/start.ipynb
	$(BIN)/jupyter lab notebooks/start.ipynb

bench: $(VENV)/ready  ## benchmarks, to benchmarks/results.json and docs/speed.md
	$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-json=benchmarks/results.json
	$(BIN)/python benchmarks/table.py

fuzz: $(VENV)/ready  ## spoiled files and values, 200,000 for each way in (hours; FUZZ="base --executions 5000"), to docs/fuzz.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.fuzz $(FUZZ)

study-speed: $(VENV)/ready  ## one graph beside its conditions one after the other, to benchmarks/study_speed.json
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.study_speed

large: $(VENV)/ready  ## 1e5 positions of 128 x 128 px from Zarr: what streams and in which memory, to docs/large.md
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.large

index: $(VENV)/ready  ## reports/index.html: every run, its deltas and how it stands
	$(BIN)/python -m studylib index --folder reports

verify: $(VENV)/ready  ## recompute the deltas of HUB and check every artefact
	$(BIN)/python -m studylib verify --hub "$(HUB)"

record: $(VENV)/ready  ## append the run of HUB to docs/fix_plan.md
	$(BIN)/python -m studylib record --hub "$(HUB)"

mapped-tests: $(VENV)/ready  ## run the mapped tests, logs and counts into HUB
	$(BIN)/python -m studylib mapped-tests --hub "$(HUB)"

docs: $(VENV)/ready  ## the documentation as a site: docs/_build/html/index.html
	$(BIN)/python -m sphinx -W --keep-going --quiet docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lint: $(VENV)/ready  ## ruff, mypy and interrogate
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy studylib && $(BIN)/interrogate studylib

clean-hub: $(VENV)/ready  ## delete what a run made in HUB, and nothing that somebody else put there
	$(BIN)/python -m studylib clean --hub "$(HUB)"

# Two commands do everything on a fresh machine: `make poem` and `make test`. Each sets up .venv by itself.
PYTHON ?= python3
IMAGE  ?= helpers/assets/photos/sea_sunrise.jpg
FORM   ?= 7x4
DATA   ?= data
RUNS   ?= runs
VENV   := .venv
READY  := $(VENV)/.ready
BIN    := $(VENV)/bin
APP    := $(VENV)/.app
TESTS  := $(VENV)/.tests
COLAB  := .venv-colab

.PHONY: poem app test notebooks colab lab bench assets lint contracts clean

poem: $(READY)  ## a quatrain and a card for IMAGE (default: a sample photo)
	@$(BIN)/python -m helpers poem "$(IMAGE)" --form $(FORM) --card out

app: $(APP)  ## the page: a photo in, poems and a card out
	$(BIN)/python -m helpers.app

test: $(TESTS) contracts  ## the contracts between the packages, and every test
	$(BIN)/python -m pytest -n auto --maxprocesses 4

notebooks: $(READY)  ## run all notebooks in place, top to bottom
	$(BIN)/python -m jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb

colab: $(COLAB)/.ready  ## run all notebooks beside the versions that Colab has
	$(COLAB)/bin/python tests/whole/colab.py

lab: $(READY)  ## open the notebooks
	$(BIN)/python -m jupyter lab notebooks

bench: $(READY)  ## the figures of benchmarks/README.md (needs DATA)
	$(BIN)/python -m benchmarks.pipeline --latency --rounds 10
	$(BIN)/python -m benchmarks.chinese_clip --data $(DATA)
	$(BIN)/python -m benchmarks.clip --data $(DATA)/flickr8k
	$(BIN)/python -m benchmarks.sight --data $(DATA)
	$(BIN)/python -m benchmarks.keywords --data $(DATA)
	$(BIN)/python -m benchmarks.hubness --flickr $(DATA)/flickr8k
	$(BIN)/python -m benchmarks.filtering --flickr $(DATA)/flickr8k/val.parquet
	$(BIN)/python -m benchmarks.lines --lines $(RUNS)/lines.txt
	$(BIN)/python -m benchmarks.poems --ccpc $(DATA)/poems/ccpc_valid_v1.0.json --poems $(RUNS)/poems
	$(BIN)/python -m benchmarks.poem_speed
	$(BIN)/python -m benchmarks.chinese_clip --data $(DATA) --model helpers/assets/judge
	$(BIN)/python -m benchmarks.pipeline $(DATA)/photos/images
	$(BIN)/python -m benchmarks.pipeline $(DATA)/photos/images --stages
	$(BIN)/python -m helpers evaluate pipeline --data $(DATA)/photos --seeds 5
	$(BIN)/python -m benchmarks.captioning --data $(DATA) --runs $(RUNS)/captioning
	$(BIN)/python -m benchmarks.captioning --data $(DATA) --runs $(RUNS)/captioning --features resnet34 --mappings mlp --decoders tuned
	$(BIN)/python -m benchmarks.caption_speed
	$(BIN)/python -m benchmarks.capdec --data $(DATA) --runs $(RUNS)/capdec
	$(BIN)/python -m benchmarks.coca --data $(DATA) --runs $(RUNS)/coca
	$(BIN)/python -m benchmarks.captioners --data $(DATA) --runs $(RUNS)
	$(BIN)/python -m benchmarks.interrogator --data $(DATA)
	$(BIN)/python -m benchmarks.ways --data $(DATA)
	$(BIN)/python -m benchmarks.reward --data $(DATA) --runs $(RUNS)/reward --seeds 2 --lr 3e-4
	$(BIN)/python -m helpers evaluate captions --data $(DATA)/flickr8k

assets: $(READY)  ## train the embedded models again (needs DATA, see recipes/README.md)
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	bash recipes/make_assets.sh "$(DATA)" "$(RUNS)" $(BIN)/python

lint: contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

contracts: $(READY)  # says nothing where all are kept
	@report=$$($(BIN)/lint-imports) || { echo "$$report"; exit 1; }

clean:
	rm -rf $(VENV) $(COLAB) out build *.egg-info

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(APP): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[app]'
	@touch $@

$(COLAB)/.ready: constraints-colab.txt
	$(PYTHON) -m venv --clear $(COLAB)
	$(COLAB)/bin/python -m pip install --quiet --disable-pip-version-check --requirement constraints-colab.txt
	@touch $@

# A test reads the vocabulary in cn_clip; it is never imported, and what it says it needs does not build.
$(TESTS): $(APP) tests/whole/install_browser.sh
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[browser,scale]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps cn_clip==1.6.0
	sh tests/whole/install_browser.sh $(BIN)/python
	@touch $@

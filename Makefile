# What a learner, a teacher or an engineer runs. `make` alone lists it.
#
#   make lab ARGS="--no-browser --port 8889"    ARGS goes on to the program behind the command
#   make app WEIGHTS=my.pth PORT=5001           your network, at another port
#   make test ARGS="-k ink"                     some of the tests; TESTS=tests/test_ink.py: one file
#   make bench BENCHMARKS=speed_drawing         one of the benchmarks
#   make lab TORCH=cpu                          on Linux, PyTorch without CUDA; TORCH=cuda: with it
#   make lab PYTHON=python3.12                  a Python of your choice
#   make test VERSIONS=oldest                   the oldest packages that will do; or the newest

.DEFAULT_GOAL := help
.PHONY: help setup lab test fuzz app site train notebooks figures bench lint update

FIRST      := notebooks/01_explore_the_data.ipynb
TESTS      ?= notebooks tests
NBVAL      := --nbval-lax --nbval-current-env --nbval-cell-timeout 600
VENV       := .venv$(if $(VERSIONS),-$(VERSIONS))
IN_VENV    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)/python
BENCHMARKS ?= shipped_weights pixel_path confidence photos strangers_photos speed_start speed_training speed_loading speed_drawing speed_browser speed_page scaling
STAMP      := $(VENV)/.stamp$(if $(TORCH),-$(TORCH))
# Jupyter refuses root, which is all that a container has.
ALLOW_ROOT := $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)

ifneq ($(filter-out cpu cuda,$(TORCH)),)
$(error TORCH is "$(TORCH)": write TORCH=cpu for the small build, TORCH=cuda, or leave it out)
endif

help:       ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s%s\n", $$1, $$2 }' Makefile
	@sed -n '2,10s/^# *//p' Makefile

setup: $(STAMP)-lab      ## set up .venv and stop there: before a class, or in a container

lab: $(STAMP)-lab        ## set up .venv and open the course in JupyterLab
	$(IN_VENV) -m jupyterlab --ServerApp.root_dir=. $(ALLOW_ROOT) \
	  $(if $(PORT),--port=$(PORT)) $(ARGS) $(FIRST)

test: $(STAMP)-test      ## run every test, every notebook included
	$(IN_VENV) -m pytest $(TESTS) $(NBVAL) -n 2 --dist loadfile $(ARGS)

fuzz: $(STAMP)-test      ## try ten thousand damaged files, drawings and events of each kind
	DIGITLAB_FUZZ_CASES=10000 $(IN_VENV) -m pytest tests/robustness -n 2 $(ARGS)

app: $(STAMP)-lab        ## serve a network as a web page to draw on, at http://127.0.0.1:5000
	$(IN_VENV) -m digitlab app --port=$(or $(PORT),5000) $(if $(WEIGHTS),--weights="$(WEIGHTS)") $(ARGS)

site: $(STAMP)-site      ## build the course as a site, in _site/; nothing is run or fetched
	$(IN_VENV) tools/build_site.py $(ARGS)

train: $(STAMP)-lab      ## train a network, for example ARGS="--recipe best --seed 0"
	$(IN_VENV) -m digitlab train $(ARGS)

notebooks: $(STAMP)-lab  ## execute the notebooks and store their outputs
	$(IN_VENV) tools/execute_notebooks.py $(ARGS)

figures: $(STAMP)-test   ## draw every picture that README shows
	$(IN_VENV) -m figures.make_figures $(ARGS)

bench: $(STAMP)-test     ## measure what README claims: how good the network is, and how fast
	$(IN_VENV) -m benchmarks $(BENCHMARKS) $(ARGS)

lint: $(STAMP)-dev       ## check style and types
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy

update:                  ## fetch the newest version of the course, and keep your notebooks
	@$(find_python); "$$python" tools/update_course.py

# A stamp says that the environment holds what lab, test or dev needs. It is out of date when one of
# these files changes, or when the environment's interpreter was replaced or removed.
$(STAMP)-%: pyproject.toml constraints.txt tools/setup_venv.py tools/environment.py $(IN_VENV)
	@$(find_python); "$$python" tools/setup_venv.py --for $* \
	  $(if $(TORCH),--torch $(TORCH)) $(if $(VERSIONS),--versions $(VERSIONS))
	@touch $@

$(IN_VENV): ;

# The newest Python that will do; else any at all, for setup_venv.py to say what is wrong with it.
will_do := import sys, ensurepip; sys.exit(sys.version_info < (3, 11))
define find_python
python="$(PYTHON)"; \
for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
  if [ -z "$$python" ] && "$$name" -c '$(will_do)' 2>/dev/null; then python="$$name"; fi; \
done; \
for name in python3 python; do \
  if [ -z "$$python" ] && "$$name" -c '' 2>/dev/null; then python="$$name"; fi; \
done; \
if [ -z "$$python" ]; then \
  echo "There is no Python here: install Python 3.11 or newer, then run make again." >&2; exit 1; fi
endef

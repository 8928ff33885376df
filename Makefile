# sudo make demo     a control plane on this machine, and the seconds a client notices when a controller loses power
# sudo make test     the tests, on a real lab; of the longest ones a part that changes daily
# sudo make test-all every test, on a real lab
#      make check    what needs neither root nor a lab: lint, types, imports, unit tests, every rendered file

BIN := .venv/bin
PURE := cloud timing services plan

.PHONY: demo test test-all vm root check lint unit bench lab-down clean

demo: root
	@scripts/demo.sh

# The images first: no test's time limit holds for what a mirror takes.
test: root .venv/.tests lint
	$(BIN)/fournines lab image examples/three-controllers.yaml
	$(BIN)/fournines lab image examples/full-cloud.yaml
	$(BIN)/fournines lab image examples/pacemaker-vip.yaml
	$(BIN)/fournines lab image examples/active-passive-two-nodes.yaml
	$(BIN)/pytest --durations 25 --durations-min 20 tests

test-all: export FOURNINES_TESTS = all
test-all: vm test

# What virtual machines of a lab need.
vm: root
	@scripts/bootstrap.sh vm

root:
	@[ "$$(id -u)" = 0 ] || { echo "the lab needs root: sudo make $(MAKECMDGOALS)" >&2; exit 1; }

check: .venv/.tests lint unit

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

unit:
	$(BIN)/pytest tests/unit tests/services -m "not lab" -n auto --cov-fail-under=95 $(PURE:%=--cov=fournines.%)

bench:
	@scripts/bootstrap.sh
	$(BIN)/python -m benchmarks

lab-down:
	$(BIN)/fournines lab down --all

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage build

# Costs nothing when everything is there.
.PHONY: .venv/.tests
.venv/.tests:
	@scripts/bootstrap.sh tests

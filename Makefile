# Every command a person needs. `make help` lists them.
#
# Build output goes to a cache folder outside the checkout, so that a fresh clone builds warm and a
# checkout can be deleted without losing an hour. BIFROST_CACHE moves it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIFROST_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bifrost
export BIFROST_CACHE
export CARGO_TARGET_DIR ?= $(BIFROST_CACHE)/target
export CARGO_TERM_COLOR ?= auto
# A warm build finds its own output; the dependency graph is the committed one, never a fresh one.
CARGO := cargo
# The release of the public suite that figures in README.md are of.
SUITE_VERSION := v0.13.2
LOCKED := --locked
UP_FLAGS ?= --staging
DRILL ?= --all
SUITE ?=
BEFORE ?= before.json
AFTER ?= target/bench.json
VERSION ?= Unreleased
PEERS ?=
export PEERS

# The order is part of what `make test` says: the cheap checks come first.
.NOTPARALLEL:

PACKAGES ?= target/release-archive
PROGRAMS := -p bifrost -p bifrost-gateway -p bifrost-node

.PHONY: help run test conformance bench soak faults notes drill release archive deb image boot programs fmt lint ours deps tidy check-fmt doc unit

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  UP_FLAGS="--nodes 3"              flags for `bifrost up`, instead of --staging'
	@echo '  DRILL=NodeUnreachable             one page alone, for make drill'
	@echo '  SUITE=../gateway-conformance      a checkout of ipfs/gateway-conformance, for make conformance'
	@echo '  PEERS="name=http://host:port …"   other gateways that bench and faults measure alongside'
	@echo '  PACKAGES=target/release-archive   where packages are written'
	@echo '  BIFROST_CACHE=$(BIFROST_CACHE)   where build output and test tools are kept'

run: ours ## Build optimised binaries and start a fleet on this machine, with staging beside it
	$(CARGO) build $(LOCKED) --profile quick --bins $(PROGRAMS)
	exec "$(CARGO_TARGET_DIR)/quick/bifrost" up $(UP_FLAGS)

test: ours deps check-fmt tidy lint doc unit ## Install what tests need, then run every check and every test

conformance: ours ## Run the public suite in SUITE, a checkout of ipfs/gateway-conformance, on a fleet
	@if [ ! -d "$(SUITE)/cmd/gateway-conformance" ]; then \
	  echo 'SUITE="$(SUITE)" is no checkout of the public suite. Get it, and the Go that its go.mod names (1.25 or later):'; \
	  echo '  git clone --branch $(SUITE_VERSION) https://github.com/ipfs/gateway-conformance ../gateway-conformance'; \
	  echo '  make conformance SUITE=../gateway-conformance'; \
	  exit 2; \
	fi >&2
	@command -v go > /dev/null || { echo 'no go in PATH: the suite is built with Go 1.25 or later' >&2; exit 2; }
	$(CARGO) build $(LOCKED) --workspace --bins
	"$(CARGO_TARGET_DIR)/debug/fleet-conformance" --suite "$(SUITE)"

bench: ours ## Measure every figure on a release fleet; writes target/bench.json and target/bench.txt
	$(CARGO) build $(LOCKED) --release --bins
	"$(CARGO_TARGET_DIR)/release/fleet-bench" --out target $(foreach p,$(PEERS),--peer '$(p)')

soak: ours ## Take ten thousand sets of profiles of processes that serve
	$(CARGO) build $(LOCKED) --release --bins
	"$(CARGO_TARGET_DIR)/release/fleet-bench" soak --out target

faults: ours ## Kill, stall and corrupt nodes under load and count what a client sees
	$(CARGO) build $(LOCKED) --release --bins
	"$(CARGO_TARGET_DIR)/release/fleet-bench" faults --out target $(foreach p,$(PEERS),--peer '$(p)')

notes: ours ## Print the notes of release VERSION, with figures of the bench.json BEFORE and AFTER it
	@$(CARGO) build $(LOCKED) --workspace --bin fleet-bench
	@"$(CARGO_TARGET_DIR)/debug/fleet-bench" notes --before "$(BEFORE)" --after "$(AFTER)" --version "$(VERSION)"

# The fleet is in haste and its Prometheus remembers what was broken, so each round has a new one.
drill: ours ## Break a fleet in every way that a runbook is for, and see that its page names the cause
	$(CARGO) build $(LOCKED) --workspace --bins
	@data="$$(mktemp -d)"; bifrost="$(CARGO_TARGET_DIR)/debug/bifrost"; \
	"$$bifrost" up --observe --observe-every 1 --observe-hurry 30 --ports auto --offline --format json \
	  --data "$$data/fleet" > "$$data/up.log" 2>&1 & up=$$!; \
	trap 'kill -TERM $$up 2> /dev/null; wait $$up; rm -rf "$$data"' EXIT; \
	until grep -q '"event":"ready"' "$$data/up.log"; do \
	  kill -0 $$up 2> /dev/null || { cat "$$data/up.log" >&2; exit 3; }; \
	  sleep 1; \
	done; \
	"$$bifrost" runbook drill $(DRILL) --data "$$data/fleet"

release: programs ## Make the archive, the Debian package, the image, the list of components and their sums
	$(PACK) all $(PACKED)

archive: programs ## Make the archive of a release
	$(PACK) archive $(PACKED)

deb: programs ## Make the package for Debian and Ubuntu
	$(PACK) deb $(PACKED)

image: programs ## Make the image for container engines, without one
	$(PACK) image $(PACKED)

boot: ## Boot Debian in a virtual machine with the packages in PACKAGES, and try the units and the image
	tests/boot/boot.sh "$(PACKAGES)"

# What is packed has the time of the commit.
PACK = "$(CARGO_TARGET_DIR)/release/bifrost" package
PACKED = --bin "$(CARGO_TARGET_DIR)/release" --out "$(PACKAGES)" --time $${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}
programs: ours
	$(CARGO) build $(LOCKED) --release --bins $(PROGRAMS)

fmt: ## Format every file
	$(CARGO) fmt --all

lint: ours ## Clippy with every warning an error
	$(CARGO) clippy $(LOCKED) --workspace --all-targets -- -D warnings

# Cargo tells by times whether output is fresh, whichever checkout it was built from: output that
# another checkout left would pass for this one's, so a change of checkout makes every source new.
ours:
	@mkdir -p "$(CARGO_TARGET_DIR)"
	@if [ "$$(cat "$(CARGO_TARGET_DIR)/checkout" 2> /dev/null)" != "$(CURDIR)" ]; then \
	  find ipfs telemetry gateway node ops tests -type f -exec touch {} +; \
	  echo "$(CURDIR)" > "$(CARGO_TARGET_DIR)/checkout"; \
	fi

# Tidy holds what any system would link to the policy, and asks no registry for it.
deps:
	tests/interop/install.sh
	$(CARGO) fetch $(LOCKED)

check-fmt:
	$(CARGO) fmt --all -- --check

tidy:
	$(CARGO) test $(LOCKED) --workspace --test tidy

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --workspace --no-deps --document-private-items

# One invocation runs everything, the end-to-end tests included, so that its closing lines are the
# whole result. The programs that those start are built with it: choosing the same targets and
# packages keeps the features, and so the build output, the same.
unit:
	$(CARGO) build $(LOCKED) --workspace --bins --tests
	$(CARGO) test $(LOCKED) --workspace

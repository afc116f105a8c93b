# What people do with this repository. Each target installs what it needs and respects CARGO_TARGET_DIR.
#
#   make run     builds the web chat and the server, and starts it with its data in ./data
#   make web     builds the web chat, the widget and the demos, which a release of the server then holds
#   make test    everything that must hold before a change is merged
#   make bench   the measurements of docs/benchmarks.md, but for the replay of logs
#   make web-bench  how fast the chat opens and scrolls in a browser, MESSAGES=n in its longest conversation
#   make sim     worlds out of seeds, MINUTES=n of them: network, disk, time and people fail, a checker judges
#   make mutants plants every bug and searches for a seed that catches it
#   make chaos   kills, power cuts, bad disks and networks under real servers; as root it can do all of them
#   make soak    HOURS=n of load with a random fault now and then, and whether anything grows
#   make fuzz    looks for bad input, MINUTES=n for each target of fuzz/
#   make autobahn  the WebSocket conformance suite; PYTHON2 is a Python 2.7, which that suite needs
#   make fmt     formats all code
#   make lint    formatting, clippy, layering, licences

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
CARGO_HOME ?= $(HOME)/.cargo
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
TARGET := $(or $(CARGO_TARGET_DIR),target)
# `cargo install` puts programs there.
export PATH := $(CARGO_HOME)/bin:$(PATH)

.PHONY: help run web web-test web-bench node chromium test bench sim mutants chaos soak rigs chaos-tools fuzz autobahn fmt lint deny compiler components cargo-deny cargo-fuzz

help:
	@sed -n '3,/^$$/s/^# *//p' Makefile

run: compiler web
	$(CARGO) build --release --bin hongyan
	$(TARGET)/release/hongyan serve

# What is slow to install comes first, what tells whether the code is right comes last.
test: lint
# The simulator is not among the others, because its planted bugs would then be built into the server, too.
	$(CARGO) test --workspace --exclude hongyan-sim --lib --bins --tests
	$(MAKE) web-test
	$(CARGO) test -p hongyan-gate --features shuttle --test shuttle
	$(CARGO) test --profile sim -p hongyan-sim --lib --bins --tests

web: web/node_modules/.package-lock.json
	cd web && npm run build

# Types, tests and sizes; some tests talk with the server that `make test` has built before, some of them in a browser.
web-test: web chromium
	cd web && npm run check && npm run size
	cd web && HONGYAN_BINARY=$(abspath $(TARGET))/debug/hongyan npm test

# npm writes it when everything is in place.
web/node_modules/.package-lock.json: web/package-lock.json web/package.json | node
	cd web && npm ci --no-audit --no-fund
	@touch $@

bench: compiler
	$(CARGO) build --release -p hongyan-server -p hongyan-bench
	$(TARGET)/release/hongyan-bench all

web-bench: compiler web chromium
	$(CARGO) build --release --bin hongyan
	cd web && HONGYAN_BINARY=$(abspath $(TARGET))/release/hongyan npm run bench -w tests

# FROM=1000000 begins with seeds that nobody has run before.
MINUTES ?= 1
FROM ?= 1

sim: compiler
	$(CARGO) build --profile sim -p hongyan-sim
	$(TARGET)/sim/hongyan-sim run --seconds $$(($(MINUTES) * 60)) --from $(FROM)

# RECORD=crates/sim/seeds/mutants.tsv keeps what was found for `make test`.
mutants: compiler
	$(CARGO) build --profile sim -p hongyan-sim
	$(TARGET)/sim/hongyan-sim mutants $(if $(RECORD),--record $(RECORD))

# Each target in turn, from the seeds in the repository and what earlier runs have found; a crash ends its target.
# No sanitizer: the code that reads input has no unsafe block, and without one it runs several times as often.
FUZZ_TARGETS ?= $(patsubst fuzz/seeds/%,%,$(wildcard fuzz/seeds/*))
FUZZ_DIR := $(abspath $(TARGET))/fuzz
FUZZ_FLAGS := -max_total_time=$$(($(MINUTES) * 60)) -max_len=4096 -len_control=0 -timeout=10 -rss_limit_mb=2048 \
	-malloc_limit_mb=64 -print_final_stats=1

fuzz: compiler cargo-fuzz
	$(CARGO) fuzz build --sanitizer none --target-dir $(FUZZ_DIR)
	@failed=0; programs=$(FUZZ_DIR)/$$(rustc -vV | sed -n 's/^host: //p')/release; \
	for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target fuzz/artifacts/$$target; \
		log=$(FUZZ_DIR)/$$target.log; crashes=0; \
		nice -n 19 $$programs/$$target -artifact_prefix=fuzz/artifacts/$$target/ $(FUZZ_FLAGS) \
			fuzz/corpus/$$target fuzz/seeds/$$target >$$log 2>&1 || { crashes=1; failed=1; tail -n 40 $$log; }; \
		count=$$(sed -n 's/^stat::number_of_executed_units: *//p' $$log); \
		rate=$$(sed -n 's/^stat::average_exec_per_sec: *//p' $$log); \
		printf '%-10s %12s executions %8s/s  %s crashes\n' $$target "$${count:-?}" "$${rate:-?}" $$crashes; \
	done; \
	exit $$failed

# CHAOS may hold arguments of `hongyan-chaos run`, such as --only power-cut --times 100.
chaos: rigs chaos-tools
	$(TARGET)/release/hongyan-chaos run $(CHAOS)

HOURS ?= 3
soak: rigs
	$(TARGET)/release/hongyan-chaos soak --hours $(HOURS) $(SOAK)

# The server that has points to die at is built in a folder of its own, so that no release is ever mistaken for it.
rigs: compiler
	$(CARGO) build --release -p hongyan-server -p hongyan-chaos
	$(CARGO) build --release -p hongyan-server --features faults --target-dir $(TARGET)/faults
	cp $(TARGET)/faults/release/hongyan $(TARGET)/release/hongyan-faults

# Text is tried against the library only: the gate speaks none. The cases of 9 that go beyond a message's greatest size, and
# compression (12, 13), are left out; so is the empty message (1.2.1) at the gate, which reads a stream of bytes.
PYTHON2 ?= python2.7
AUTOBAHN := $(abspath $(TARGET))/autobahn

autobahn: compiler
	$(CARGO) build -p hongyan-gate --example websocket_echo
	test -x $(AUTOBAHN)/bin/wstest || { $(PYTHON2) -m pip install -q virtualenv && $(PYTHON2) -m virtualenv -q $(AUTOBAHN) && \
		$(AUTOBAHN)/bin/pip install -q autobahntestsuite==0.8.2; }
	@$(TARGET)/debug/examples/websocket_echo & echo=$$!; trap "kill $$echo" EXIT; sleep 1; cd $(AUTOBAHN); \
	for route in frames library; do \
		bin/wstest -m fuzzingclient -s $(CURDIR)/crates/gate/examples/autobahn/$$route.json >$$route.log; \
		$(PYTHON2) $(CURDIR)/crates/gate/examples/autobahn/judge.py $$route/index.json; \
	done

fmt: components
	$(CARGO) fmt --all

lint: compiler components deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) xtask check

deny: cargo-deny
	$(CARGO) fetch --locked --quiet
	$(CARGO) deny --offline --log-level error check licenses bans sources

# SQLite and the cryptography have C sources.
compiler:
	@missing=(); \
	command -v cc >/dev/null || missing+=(build-essential); \
	[ $${#missing[@]} -eq 0 ] && exit 0; \
	as_root=(); \
	if [ "$$(id -u)" -ne 0 ]; then \
		command -v sudo >/dev/null || { echo "please install: $${missing[*]}" >&2; exit 1; }; \
		as_root=(sudo); \
	fi; \
	command -v apt-get >/dev/null || { echo "please install: $${missing[*]}" >&2; exit 1; }; \
	"$${as_root[@]}" apt-get update -q; \
	"$${as_root[@]}" apt-get install -qy --no-install-recommends "$${missing[@]}"

# The web parts are built by it. Older ones do not run the tools.
NODE_MIN := 20.19
node:
	@command -v npm >/dev/null || { \
		command -v apt-get >/dev/null || { echo "please install: nodejs npm" >&2; exit 1; }; \
		if [ "$$(id -u)" -eq 0 ]; then as_root=(); else as_root=(sudo); fi; \
		"$${as_root[@]}" apt-get update -q && "$${as_root[@]}" apt-get install -qy --no-install-recommends nodejs npm; \
	}
	@printf '%s\n%s\n' $(NODE_MIN) "$$(node --version | tr -d v)" | sort -C -V || \
		{ echo "node $$(node --version) is too old: please install $(NODE_MIN) or newer, from nodejs.org" >&2; exit 1; }

# The browser in which the web chat is tested, with letters for what people write in it. CHROMIUM may name another one.
chromium:
	@[ -n "$${CHROMIUM:-}" ] || command -v chromium >/dev/null || { \
		command -v apt-get >/dev/null || { echo "please install: chromium" >&2; exit 1; }; \
		if [ "$$(id -u)" -eq 0 ]; then as_root=(); else as_root=(sudo); fi; \
		"$${as_root[@]}" apt-get update -q && "$${as_root[@]}" apt-get install -qy --no-install-recommends chromium fonts-noto-cjk fonts-noto-color-emoji; \
	}

# Programs that arrange faults, for who may use them: root. Without them a scenario is skipped and says so.
chaos-tools:
	@missing=(); \
	export PATH=$$PATH:/usr/sbin:/sbin; \
	command -v mkfs.xfs >/dev/null || missing+=(xfsprogs); \
	command -v iptables >/dev/null || missing+=(iptables); \
	command -v ip >/dev/null || missing+=(iproute2); \
	[ $${#missing[@]} -eq 0 ] && exit 0; \
	if [ "$$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then \
		echo "not here, or not for you: $${missing[*]}; some scenarios will be skipped" >&2; exit 0; \
	fi; \
	apt-get update -q && apt-get install -qy --no-install-recommends "$${missing[@]}"

components:
	@{ $(CARGO) clippy --version && $(CARGO) fmt --version; } >/dev/null 2>&1 || rustup component add clippy rustfmt

# Unoptimised: it is installed in a third of the time, and runs for a second.
cargo-deny: compiler
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked --debug --version $(CARGO_DENY_VERSION) cargo-deny

cargo-fuzz: compiler
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked --debug --version $(CARGO_FUZZ_VERSION) cargo-fuzz

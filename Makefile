# What people do with this repository. Each target installs what it needs and respects CARGO_TARGET_DIR.
#
#   make run     builds the server and starts it with its data in ./data
#   make test    everything that must hold before a change is merged
#   make bench   the measurements of docs/benchmarks.md, but for the replay of logs
#   make fmt     formats all code
#   make lint    formatting, clippy, layering, licences

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
CARGO_HOME ?= $(HOME)/.cargo
CARGO_DENY_VERSION := 0.20.2
TARGET := $(or $(CARGO_TARGET_DIR),target)
# `cargo install` puts programs there.
export PATH := $(CARGO_HOME)/bin:$(PATH)

.PHONY: help run test bench fmt lint deny compiler components cargo-deny

help:
	@sed -n '3,7s/^# *//p' Makefile

run: compiler
	$(CARGO) build --release --bin hongyan
	$(TARGET)/release/hongyan serve

# What is slow to install comes first, what tells whether the code is right comes last.
test: lint
	$(CARGO) test --workspace --lib --bins --tests

bench: compiler
	$(CARGO) build --release -p hongyan-server -p hongyan-bench
	$(TARGET)/release/hongyan-bench all

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

components:
	@{ $(CARGO) clippy --version && $(CARGO) fmt --version; } >/dev/null 2>&1 || rustup component add clippy rustfmt

# Unoptimised: it is installed in a third of the time, and runs for a second.
cargo-deny: compiler
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked --debug --version $(CARGO_DENY_VERSION) cargo-deny

# A thin door in front of Meson and the programs in tools/. `make` alone lists what can be made.
#
# Settings, each as `make TARGET NAME=value`:
#   APP=examples/auction      the app folder of `run`
#   PREFIX=/usr/local         where `install` puts the binary; DESTDIR is put in front of it
#   SHARDS="1 2 4"            node sizes the end-to-end tests go through
#   ONLY=unit,wire            phases of `test`: unit, wire, fuzz, sim, e2e
#   GATEWAY_REQUESTS=20000    requests while the gateway is reloaded, in its test of that
#   FUZZ_SECONDS=600          time for each harness of `fuzz`; ONLY=http1,json picks some of them
#   BENCH_RUNS=5              runs of `bench` whose median counts; more settings: bench/run
#   KILLS=1000 CUTS=100000    rounds of kill -9 and simulated power cuts of `crash`; SEED=1

APP ?= examples/auction
PREFIX ?= /usr/local
DESTDIR ?=
SHARDS ?= 1 2 4
ONLY ?=
FUZZ_SECONDS ?= 600
KILLS ?= 1000
CUTS ?= 100000
SEED ?= 1
export SHARDS ONLY FUZZ_SECONDS KILLS CUTS SEED

.DEFAULT_GOAL := help
.PHONY: help build run test bench lint fuzz crash install clean

help: ## list the targets and what each does
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18
	@sed -n '3,/^$$/s/^# \{0,1\}//p' $(MAKEFILE_LIST)

build: ## compile the release binary, build/nonet
	@tools/install build
	@tools/build

run: build ## install what is missing, build, and start the auction house
	@tools/install run
	@build/nonet run $(APP)

test: ## install what is missing, build, run every test; ends with `N passed, N failed`
	@tools/install build test
	@tools/test

bench: build ## measure Nonet beside nats-server on this machine and print the ratios
	@tools/install bench
	@bench/run

lint: ## check the law of the arrows, the form, and that gcc and clang build without a warning
	@tools/install build lint
	@tools/lint

fuzz: ## run each fuzz harness for FUZZ_SECONDS under ASan and UBSan
	@tools/install build lint
	@tools/fuzz

crash: build ## kill -9 loop on the real binary, then simulated power cuts on the log
	@tools/install crash
	@tools/crash

install: build ## copy the stripped binary and the licence below PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/nonet
	install -s -m 755 build/nonet $(DESTDIR)$(PREFIX)/bin/nonet
	install -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/nonet/LICENSE

clean: ## remove every build folder
	rm -rf build build-*

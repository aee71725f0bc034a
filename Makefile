# SPDX-License-Identifier: GPL-2.0-or-later
# A thin front door: each target is one script under tools/, which can be run alone.

.PHONY: help run test lint bench fuzz nightly build clean

help:
	@echo 'make run      boot a Debian kernel in Insula: a shell, or a short tour without a terminal'
	@echo 'make test     all that a change must pass: builds, unit and guest tests, lint'
	@echo 'make build    only the programs, in build/'
	@echo 'make lint     only the checks of form: format, layers, lengths, documents'
	@echo 'make bench    speed and memory beside QEMU in the same run'
	@echo 'make fuzz     each fuzz target for FUZZ_SECONDS (20) seconds'
	@echo 'make nightly  the long tests: every guest, both Debian kernels, millions of sequences'
	@echo 'make clean    remove what was built (guests stay in .cache/)'

run:
	@tools/setup run
	@tools/run

test:
	@tools/setup test
	@tools/run-tests

nightly:
	@tools/setup test
	@tools/run-tests --nightly

build:
	@tools/setup run
	@tools/build build

lint:
	@tools/setup test
	@tools/build build
	@tools/lint/lint --build build

bench:
	@tools/setup test
	@tools/bench

fuzz:
	@tools/setup test
	@tools/fuzz

clean:
	rm -rf build build-clang build-asan build-tsan build-fuzz

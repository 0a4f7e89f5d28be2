# The front door for daily work; meson and the scripts do everything.
.PHONY: all run test quick bench attacks compat asan tsan fuzz branches races check fmt lint clean

SOURCES = $(shell find base protocol manager worker cli tests benchmarks -name '*.h' -o -name '*.cc' 2>/dev/null)

all: build/build.ninja
	@ninja -C build

build/build.ninja:
	@meson setup build

run:
	@scripts/quickstart --keep

test:
	@scripts/test

quick:
	@scripts/test --quick

bench: all
	@build/benchmarks/capsule_bench

attacks: all
	@/usr/bin/python3 -B tests/attacks/run_attacks.py

compat: all
	@/usr/bin/python3 -B tests/compat/run_compat.py

asan tsan:
	@scripts/test --only $@ --whole

branches: all
	@cd tests/system && CAPSULE_HOSTILE_CELLS=10000 CAPSULE_RANDOM_STEPS=20000 /usr/bin/python3 -W ignore -B -m unittest \
	  test_rollback.Rollback.test_hostile_cells_in_a_row_lose_nothing test_random_branches

races: all
	@CAPSULE_RACE_ATTEMPTS=100000 build/tests/unit/manager/files_tests "[race]"

fuzz:
	@scripts/test --only fuzz

check:
	@scripts/test --only checks

fmt:
	@clang-format-14 -i $(SOURCES)

lint:
	@clang-format-14 --dry-run -Werror $(SOURCES)
	@scripts/check-includes
	@scripts/check-file-length --hints
	@scripts/check-map
	@scripts/check-paths
	@scripts/check-systemd

clean:
	@rm -rf build build-asan build-tsan build-fuzz

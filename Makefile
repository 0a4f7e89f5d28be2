# The front door for daily work; meson and the scripts do everything.
.PHONY: all run test quick bench attacks compat asan tsan fuzz branches kills races check fmt lint clean

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
	@cd tests/system && CAPSULE_HOSTILE_CELLS=10000 CAPSULE_RANDOM_STEPS=20000 CAPSULE_FLIPS=10000 CAPSULE_KILLS=200 \
	  CAPSULE_MEETINGS=2000 CAPSULE_IDLE_FORKS=100 /usr/bin/python3 -W ignore -B -m unittest \
	  test_rollback.Rollback.test_hostile_cells_in_a_row_lose_nothing test_random_branches test_checkpoints.Damaged \
	  test_checkpoint_disk test_branches_at_once test_branch_limits

kills: all
	@cd tests/system && CAPSULE_RECORD_KILLS=200 /usr/bin/python3 -W ignore -B -m unittest test_records.Killed

races: all
	@CAPSULE_RACE_ATTEMPTS=100000 build/tests/unit/manager/files_tests "[race]"
	@cd tests/system && CAPSULE_RACE_ATTEMPTS=5000 /usr/bin/python3 -W ignore -B -m unittest test_files.Races

fuzz:
	@scripts/test --only fuzz

check:
	@scripts/test --only checks

fmt:
	@clang-format-14 -i $(SOURCES)

lint:
	@clang-format-14 --dry-run -Werror $(SOURCES)
	@scripts/check-includes
	@scripts/check-labels
	@scripts/check-file-length --hints
	@scripts/check-map
	@scripts/check-paths
	@scripts/check-systemd

clean:
	@rm -rf build build-asan build-tsan build-fuzz

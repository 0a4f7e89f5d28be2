#include "cli/render_run.h"

#include <catch2/catch.hpp>

namespace capsule::cli {
namespace {

Finished ended(Verdict verdict) {
  Finished finished{.run_id = "r1", .verdict = verdict};
  finished.usage.wall_us = 2'000'000;
  return finished;
}

}  // namespace

TEST_CASE("an end that was the program's own needs no words", "[cli]") {
  for (const Verdict verdict : {Verdict::kOk, Verdict::kException, Verdict::kExit}) {
    CHECK(ending_notes(ended(verdict)).empty());
  }
}

TEST_CASE("every other verdict is put into words", "[cli]") {
  for (const Verdict verdict : kAllVerdicts) {
    if (verdict == Verdict::kOk || verdict == Verdict::kException || verdict == Verdict::kExit) continue;
    INFO(to_string(verdict));
    CHECK(ending_notes(ended(verdict)).size() == 1);
  }
}

TEST_CASE("a timeout names what ended the run and the limit", "[cli]") {
  Finished finished = ended(Verdict::kTimeout);
  finished.evidence.rung = "interrupt";
  finished.evidence.limit = "wall_ms=2000";
  CHECK(ending_notes(finished) == std::vector<std::string>{"timeout after 2.0 s (interrupt; limit wall_ms=2000)"});
}

TEST_CASE("a crash names its signal, and a lost session state is said", "[cli]") {
  Finished finished = ended(Verdict::kCrashed);
  finished.evidence.signal = 11;
  finished.evidence.session_state = "fresh";
  CHECK(ending_notes(finished) ==
        std::vector<std::string>{"crashed by SIGSEGV after 2.0 s", "the session's state was lost; it starts fresh"});
}

TEST_CASE("our own faults carry their detail and whether to try again", "[cli]") {
  Finished finished = ended(Verdict::kInternalError);
  finished.evidence.detail = "the worker sent garbage";
  finished.evidence.retry = true;
  CHECK(ending_notes(finished) ==
        std::vector<std::string>{"internal error of Capsule: the worker sent garbage (trying again may help)"});
}

TEST_CASE("dropped output is said although the run ended well", "[cli]") {
  Finished finished = ended(Verdict::kOk);
  finished.evidence.output.dropped_bytes = 42;
  finished.evidence.limit = "output_bytes=100";
  CHECK(ending_notes(finished) == std::vector<std::string>{"42 bytes of output were dropped (limit output_bytes=100)"});
}

TEST_CASE("a traceback is printed line by line, whether its lines end or not", "[cli]") {
  Finished finished = ended(Verdict::kException);
  CHECK(traceback_text(finished) == "");
  finished.error = RaisedError{"ValueError", "x", {"Traceback (most recent call last):\n", "ValueError: x"}};
  CHECK(traceback_text(finished) == "Traceback (most recent call last):\nValueError: x\n");
  finished.error->traceback.clear();
  CHECK(traceback_text(finished) == "ValueError: x\n");
}

TEST_CASE("signals have names", "[cli]") {
  CHECK(signal_name(9) == "SIGKILL");
  CHECK(signal_name(4000) == "signal 4000");
}

TEST_CASE("files get the usual extension of their type", "[cli]") {
  CHECK(extension_for("image/png") == ".png");
  CHECK(extension_for("application/x-unknown") == ".bin");
}

}  // namespace capsule::cli

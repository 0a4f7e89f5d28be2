#include "manager/output/output_budget.h"

#include <catch2/catch.hpp>
#include <random>

using namespace capsule;

namespace {

std::string bytes(size_t count, char fill = 'x') { return std::string(count, fill); }

}  // namespace

TEST_CASE("below the limit everything goes on under every policy", "[output]") {
  for (const OutputPolicy policy : {OutputPolicy::kBlock, OutputPolicy::kTruncate, OutputPolicy::kStop}) {
    OutputBudget budget(policy, 100);
    const Admission first = budget.take(Stream::kStdout, bytes(60));
    const Admission second = budget.take(Stream::kStderr, bytes(40));
    CHECK((first.forward == 60 && first.drop == 0 && !first.stop_run));
    CHECK((second.forward == 40 && second.drop == 0 && !second.stop_run));
    CHECK_FALSE(budget.is_over_limit());
  }
}

TEST_CASE("block has no limit of bytes", "[output]") {
  OutputBudget budget(OutputPolicy::kBlock, 10);
  for (int i = 0; i < 100; ++i) CHECK(budget.take(Stream::kStdout, bytes(1000)).forward == 1000);
  CHECK(budget.count().dropped_bytes == 0);
}

TEST_CASE("truncate forwards up to the limit to the byte and drops the rest", "[output]") {
  OutputBudget budget(OutputPolicy::kTruncate, 100);
  budget.take(Stream::kStdout, bytes(70));
  const Admission across = budget.take(Stream::kStderr, bytes(70));
  CHECK((across.forward == 30 && across.drop == 40 && !across.stop_run));
  const Admission after = budget.take(Stream::kStdout, bytes(5));
  CHECK((after.forward == 0 && after.drop == 5 && !after.stop_run));
  CHECK(budget.is_over_limit());
  const OutputCount count = budget.count();
  CHECK(count.stdout_bytes == 75);
  CHECK(count.stderr_bytes == 70);
  CHECK(count.enqueued_bytes == 100);
  CHECK(count.dropped_bytes == 45);
  CHECK(count.chunks == 2);
}

TEST_CASE("stop asks for the end of the run once", "[output]") {
  OutputBudget budget(OutputPolicy::kStop, 100);
  CHECK_FALSE(budget.take(Stream::kStdout, bytes(100)).stop_run);
  const Admission passing = budget.take(Stream::kStdout, bytes(1));
  CHECK((passing.stop_run && passing.forward == 0 && passing.drop == 1));
  CHECK_FALSE(budget.take(Stream::kStdout, bytes(1)).stop_run);
}

TEST_CASE("numbers run over both streams, offsets within each, dropped bytes included", "[output]") {
  OutputBudget budget(OutputPolicy::kTruncate, 25);
  const Admission a = budget.take(Stream::kStdout, bytes(10));
  const Admission b = budget.take(Stream::kStderr, bytes(5));
  const Admission c = budget.take(Stream::kStdout, bytes(20));
  const Admission d = budget.take(Stream::kStdout, bytes(3));
  CHECK((a.seq == 0 && a.offset == 0));
  CHECK((b.seq == 1 && b.offset == 0));
  CHECK((c.seq == 2 && c.offset == 10 && c.forward == 10));
  CHECK((d.forward == 0 && d.offset == 30));
}

TEST_CASE("the last output is what was written last, dropped or not", "[output]") {
  OutputBudget budget(OutputPolicy::kTruncate, 4);
  CHECK(budget.last_output().empty());
  budget.take(Stream::kStdout, "first ");
  budget.take(Stream::kStderr, "second");
  CHECK(budget.last_output() == "first second");
}

TEST_CASE("the last output is bounded, whatever the size of the writes", "[output]") {
  std::mt19937 random(7);
  OutputBudget budget(OutputPolicy::kBlock, 0);
  std::string all;
  for (int i = 0; i < 500; ++i) {
    const size_t size = 1 + random() % (i % 10 == 0 ? 9000 : 300);
    const std::string chunk = bytes(size, static_cast<char>('a' + i % 26));
    budget.take(Stream::kStdout, chunk);
    all += chunk;
    const size_t kept = std::min(all.size(), limits::kLastOutputBytes);
    REQUIRE(budget.last_output() == std::string_view(all).substr(all.size() - kept));
  }
}

TEST_CASE("every byte is either forwarded or dropped", "[output]") {
  std::mt19937 random(11);
  for (const OutputPolicy policy : {OutputPolicy::kBlock, OutputPolicy::kTruncate, OutputPolicy::kStop}) {
    OutputBudget budget(policy, 5000);
    uint64_t written = 0, forwarded = 0, dropped = 0, stops = 0, chunks = 0;
    for (int i = 0; i < 300; ++i) {
      const std::string chunk = bytes(1 + random() % 100);
      const Admission admission = budget.take(random() % 2 ? Stream::kStdout : Stream::kStderr, chunk);
      written += chunk.size();
      forwarded += admission.forward;
      dropped += admission.drop;
      stops += admission.stop_run ? 1 : 0;
      if (admission.forward != 0) REQUIRE(admission.seq == chunks++);
    }
    const OutputCount count = budget.count();
    CHECK(forwarded + dropped == written);
    CHECK(count.stdout_bytes + count.stderr_bytes == written);
    CHECK(count.enqueued_bytes == forwarded);
    CHECK(count.dropped_bytes == dropped);
    CHECK(count.chunks == chunks);
    CHECK(stops == (policy == OutputPolicy::kStop ? 1 : 0));
    CHECK(forwarded == (policy == OutputPolicy::kBlock ? written : 5000));
  }
}

TEST_CASE("the deepest queue is kept", "[output]") {
  OutputBudget budget(OutputPolicy::kBlock, 0);
  for (const uint64_t depth : {5u, 900u, 20u}) budget.note_queued(depth);
  CHECK(budget.count().deepest_queue_bytes == 900);
}

TEST_CASE("a client's backlog stops reading when full and goes on at half", "[output]") {
  OutputBacklog backlog(1000);
  CHECK(backlog.may_read(0));
  CHECK(backlog.may_read(999));
  CHECK_FALSE(backlog.may_read(1000));
  CHECK_FALSE(backlog.may_read(999));
  CHECK_FALSE(backlog.may_read(501));
  CHECK(backlog.is_blocked());
  CHECK(backlog.may_read(500));
  CHECK(backlog.may_read(999));
  CHECK_FALSE(backlog.may_read(1200));
  CHECK(backlog.times_blocked() == 2);
  CHECK(backlog.deepest_bytes() == 1200);
}

#include "manager/observe/trace_context.h"

#include <catch2/catch.hpp>
#include <set>

using namespace capsule;

namespace {
const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736", kSpan = "00f067aa0ba902b7";
const std::string kGiven = "00-" + kTrace + "-" + kSpan + "-01";
}  // namespace

TEST_CASE("a caller's context is read", "[trace]") {
  const auto context = parse_traceparent(kGiven);
  REQUIRE(context);
  CHECK(context->trace_id == kTrace);
  CHECK(context->parent_id == kSpan);
  CHECK(context->is_sampled());
  CHECK_FALSE(parse_traceparent("00-" + kTrace + "-" + kSpan + "-00")->is_sampled());
}

TEST_CASE("a later version is read as far as version 00 goes", "[trace]") {
  CHECK(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01-what-the-future-will-be-like"));
  CHECK(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01"));
  CHECK_FALSE(parse_traceparent("cc-" + kTrace + "-" + kSpan + "-01.what"));
}

TEST_CASE("what the specification says to ignore is ignored", "[trace]") {
  const std::string zeros32(32, '0'), zeros16(16, '0');
  for (const std::string& wrong :
       {std::string(), std::string("00"), kGiven.substr(0, 54), kGiven + "-extra", "ff" + kGiven.substr(2),
        "00-" + zeros32 + "-" + kSpan + "-01", "00-" + kTrace + "-" + zeros16 + "-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kSpan + "-01", "00_" + kTrace + "-" + kSpan + "-01",
        "00-" + kTrace + "-" + kSpan + "-0x", "0." + kGiven.substr(2)}) {
    INFO(wrong);
    CHECK_FALSE(parse_traceparent(wrong));
  }
}

TEST_CASE("a run's span is in the caller's trace, with the caller's flag", "[trace]") {
  TraceIds ids;
  for (const char* flags : {"00", "01", "02", "03"}) {
    const TraceContext context = ids.begin(kGiven.substr(0, 53) + flags);
    CHECK(context.trace_id == kTrace);
    CHECK(context.parent_id == kSpan);
    CHECK(context.span_id != kSpan);
    CHECK(traceparent_of(context) == "00-" + kTrace + "-" + context.span_id + "-" + flags);
  }
}

TEST_CASE("without a caller each run begins a trace of its own", "[trace]") {
  TraceIds ids;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const TraceContext context = ids.begin(i % 2 == 0 ? "" : "nonsense");
    REQUIRE(context.parent_id.empty());
    REQUIRE(context.is_sampled());
    REQUIRE(parse_traceparent(traceparent_of(context)));
    seen.insert(context.trace_id);
    seen.insert(context.span_id);
  }
  CHECK(seen.size() == 2000);
}

TEST_CASE("a request id is short, printable and one word", "[trace]") {
  CHECK(is_printable_id("order-17/a@b:{c}"));
  CHECK(is_printable_id(std::string(128, 'x')));
  for (const std::string& wrong : {std::string(), std::string(129, 'x'), std::string("two words"), std::string("a\n"),
                                   std::string("\x7f"), std::string("gr\xc3\xbc\xc3\x9f")}) {
    INFO(wrong);
    CHECK_FALSE(is_printable_id(wrong));
  }
}

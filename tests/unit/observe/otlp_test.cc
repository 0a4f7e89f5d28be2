// Spans as OTLP has them. tests/system/test_otlp.py decodes those of a live manager with another's decoder.
#include "manager/observe/otlp.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "manager/observe/exemplars.h"
#include "manager/observe/export_retry.h"
#include "manager/observe/openmetrics.h"
#include "manager/observe/otlp_sender.h"

using namespace capsule;
using namespace std::chrono_literals;
using Json = nlohmann::json;

namespace {

const TimePoint kStart{};

RunSpans ran(bool is_failure = false) {
  RunSpans run;
  run.context = {std::string(32, 'a'), std::string(16, 'b'), std::string(16, 'c'), 1};
  run.began_wall_us = 1'700'000'000'000'001;
  run.marks = {{TraceEvent::kSubmitted, kStart, {}},        {TraceEvent::kQueued, kStart + 1ms, {}},
               {TraceEvent::kDequeued, kStart + 2ms, {}},   {TraceEvent::kLeased, kStart + 3ms, "hit"},
               {TraceEvent::kStarted, kStart + 4ms, {}},    {TraceEvent::kOutputFlushed, kStart + 8ms, {}},
               {TraceEvent::kFinished, kStart + 9ms, "ok"}, {TraceEvent::kSnapshot, kStart + 60ms, "idle"}};
  run.run_id = "r-1";
  run.request_id = "say \"hi\"\\";
  run.profile = "base";
  run.verdict = is_failure ? "exception" : "ok";
  run.is_failure = is_failure;
  run.worker_pid = 4711;
  run.cpu_user_us = 1'500'000;
  return run;
}

Json spans_of(const std::vector<RunSpans>& runs) {
  TraceIds ids;
  const Json all = Json::parse(otlp_json({"0.1.0", "i-1", "box", "3.11.2", 7}, {runs, {}}, ids));
  return all["resourceSpans"][0]["scopeSpans"][0]["spans"];
}

Json value_of(const Json& holder, const std::string& key) {
  for (const Json& each : holder["attributes"]) {
    if (each["key"] == key) return each["value"];
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a run is a span with its parts inside it", "[otlp]") {
  const Json spans = spans_of({ran()});
  REQUIRE(spans.size() == 5);
  CHECK(count_spans(ran()) == 5);
  CHECK(spans[0]["name"] == "run");
  CHECK(spans[0]["kind"] == 2);
  CHECK(spans[0]["spanId"] == std::string(16, 'b'));
  CHECK(spans[0]["parentSpanId"] == std::string(16, 'c'));
  CHECK(spans[0]["startTimeUnixNano"] == "1700000000000001000");
  CHECK(spans[0]["endTimeUnixNano"] == "1700000000009001000");  // and not that of the snapshot
  CHECK_FALSE(spans[0].contains("status"));
  const char* const names[] = {"queue", "lease", "execute", "drain"};
  for (size_t i = 1; i < spans.size(); ++i) {
    CHECK(spans[i]["name"] == names[i - 1]);
    CHECK(spans[i]["kind"] == 1);
    CHECK(spans[i]["traceId"] == std::string(32, 'a'));
    CHECK(spans[i]["parentSpanId"] == std::string(16, 'b'));
    CHECK(spans[i]["spanId"].get<std::string>().size() == 16);
    if (i > 1) CHECK(spans[i]["startTimeUnixNano"] == spans[i - 1]["endTimeUnixNano"]);
  }
}

TEST_CASE("attributes have the types that OTLP has", "[otlp]") {
  const Json run = spans_of({ran()})[0];
  CHECK(value_of(run, "capsule.run.id") == Json{{"stringValue", "r-1"}});
  CHECK(value_of(run, "capsule.request.id") == Json{{"stringValue", "say \"hi\"\\"}});
  CHECK(value_of(run, "capsule.exit_status") == Json{{"intValue", "0"}});
  CHECK(value_of(run, "capsule.cpu.user_s") == Json{{"doubleValue", 1.5}});
  CHECK(value_of(run, "capsule.session.id").is_null());  // it has none
  CHECK(value_of(run, "error.type").is_null());
  CHECK(value_of(spans_of({ran()})[3], "process.pid") == Json{{"intValue", "4711"}});
}

TEST_CASE("a failed run has an error, and its verdict as the type", "[otlp]") {
  const Json run = spans_of({ran(true)})[0];
  CHECK(run["status"] == Json{{"code", 2}});
  CHECK(value_of(run, "error.type") == Json{{"stringValue", "exception"}});
}

TEST_CASE("events of a run are events of its span", "[otlp]") {
  const Json events = spans_of({ran()})[0]["events"];
  REQUIRE(events.size() == 8);
  CHECK(events[3]["name"] == "leased");
  CHECK(events[3]["timeUnixNano"] == "1700000000003001000");
  CHECK(value_of(events[3], "capsule.detail") == Json{{"stringValue", "hit"}});
}

TEST_CASE("a run without a caller has no parent, and says that none is remote", "[otlp]") {
  RunSpans run = ran();
  CHECK(spans_of({run})[0]["flags"] == 0x301);
  run.context.parent_id.clear();
  CHECK_FALSE(spans_of({run})[0].contains("parentSpanId"));
  CHECK(spans_of({run})[0]["flags"] == 0x101);
}

TEST_CASE("many runs are one request", "[otlp]") { CHECK(spans_of(std::vector(10, ran())).size() == 50); }

TEST_CASE("a request over HTTP is a span of its caller's trace", "[otlp]") {
  TraceIds ids;
  HttpSpan request{ran().context, 1'700'000'000'000'000, 250, label::HttpMethod::kGet,
                   "/health",     "/api/health",         200, "q-1"};
  const auto span_of = [&] {
    const Json all = Json::parse(otlp_json({}, {{}, {request}}, ids));
    return all["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  };
  CHECK(count_spans(SpanBatch{{ran()}, {request}}) == 6);
  CHECK(span_of()["name"] == "GET /health");
  CHECK(value_of(span_of(), "http.route") == Json{{"stringValue", "/health"}});
  CHECK(value_of(span_of(), "url.path") == Json{{"stringValue", "/api/health"}});
  CHECK(span_of()["kind"] == 2);
  CHECK(span_of()["endTimeUnixNano"] == "1700000000000250000");
  CHECK(value_of(span_of(), "http.response.status_code") == Json{{"intValue", "200"}});
  CHECK_FALSE(span_of().contains("status"));
  request.status = 503;
  CHECK(span_of()["status"] == Json{{"code", 2}});
  CHECK(value_of(span_of(), "error.type") == Json{{"stringValue", "503"}});
}

TEST_CASE("paths and methods that the manager does not know are not made up", "[otlp]") {
  TraceIds ids;
  HttpSpan request{ran().context, 1'700'000'000'000'000, 250, label::HttpMethod::kGet, {}, {}, 404, "q-1"};
  const auto span_of = [&] {
    const Json all = Json::parse(otlp_json({}, {{}, {request}}, ids));
    return all["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  };
  const Json nowhere = span_of();
  CHECK(nowhere["name"] == "GET");
  for (const Json& attribute : nowhere["attributes"]) {
    CHECK(attribute["key"] != "http.route");
    CHECK(attribute["key"] != "url.path");
  }
  request.method = label::HttpMethod::kOther;
  CHECK(span_of()["name"] == "HTTP");
  CHECK(value_of(span_of(), "http.request.method") == Json{{"stringValue", "_OTHER"}});
}

TEST_CASE("only what may pass is tried again", "[otlp]") {
  for (const unsigned status : {0u, 429u, 502u, 503u, 504u}) CHECK(judge_export(status) == ExportOutcome::kRetry);
  for (const unsigned status : {200u, 202u}) CHECK(judge_export(status) == ExportOutcome::kTaken);
  for (const unsigned status : {301u, 400u, 401u, 404u, 413u, 500u})
    CHECK(judge_export(status) == ExportOutcome::kRefused);
}

TEST_CASE("pauses between attempts double up to half a minute, with jitter", "[otlp]") {
  ExportRetry retry;
  for (const double most_s : {0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0})
    CHECK(to_seconds(retry.failed(1, {})) == Approx(most_s));
  CHECK(to_seconds(retry.failed(0.5, {})) == Approx(15));
  CHECK(retry.failed(0, {}) == ExportRetry::kShortest);
  retry.succeeded();
  CHECK(to_seconds(retry.failed(1, {})) == Approx(0.5));
}

TEST_CASE("a collector that says when is obeyed, within reason", "[otlp]") {
  ExportRetry retry;
  CHECK(retry.failed(1, 7s) == 7s);
  CHECK(retry.failed(1, 120s) == 120s);
  CHECK(retry.failed(1, 86400s) == ExportRetry::kLongestAsked);
  CHECK(retry.failed(1, 0s) == ExportRetry::kShortest);
}

TEST_CASE("the collector's place is read", "[otlp]") {
  const auto plain = parse_otlp_endpoint("http://127.0.0.1:4318", "");
  REQUIRE(plain);
  CHECK((plain->host == "127.0.0.1" && plain->port == "4318" && plain->path == "/v1/traces"));
  const auto named = parse_otlp_endpoint("http://collector/otlp/v1/traces", "x-key=a%20b,x-org=1");
  REQUIRE(named);
  CHECK((named->host == "collector" && named->port == "80" && named->path == "/otlp/v1/traces"));
  CHECK(named->headers == std::vector<std::pair<std::string, std::string>>{{"x-key", "a b"}, {"x-org", "1"}});
  CHECK(parse_otlp_endpoint("http://[::1]:4318/", "")->host == "::1");
  CHECK(parse_otlp_endpoint("http://[::1]:4318/", "")->authority() == "[::1]:4318");
  CHECK(plain->authority() == "127.0.0.1:4318");
}

TEST_CASE("a place that is none is refused", "[otlp]") {
  for (const char* url : {"", "127.0.0.1:4318", "https://collector", "http://", "http://:4318", "http://a:b",
                          "http://a:0", "http://a:70000", "http://a b", "http://user@a", "http://a/\r\nx: y"}) {
    INFO(url);
    CHECK_FALSE(parse_otlp_endpoint(url, ""));
  }
  for (const char* headers : {"x", "=1", "a b=1", "x=%0d%0ay: z", "x\n=1"}) {
    INFO(headers);
    CHECK_FALSE(parse_otlp_endpoint("http://a", headers));
  }
}

TEST_CASE("each bucket has its latest exemplar", "[openmetrics]") {
  BucketExemplars exemplars({0.5, 1});
  exemplars.note(0.2, "t-1", 1000);
  exemplars.note(0.5, "t-2", 1'520'879'607'789);  // a bound is in its bucket
  exemplars.note(7, "t-3", 2005);
  exemplars.note(0.7, "", 3000);
  prometheus::ClientMetric metric;
  metric.histogram.bucket = {{1, 0.5}, {1, 1}, {2, std::numeric_limits<double>::infinity()}};
  const std::string text = openmetrics_text({{"h", "", prometheus::MetricType::Histogram, {metric}}},
                                            {{"h", &exemplars}, {"other", nullptr}});
  CHECK(text.find("h_bucket{le=\"0.5\"} 1 # {trace_id=\"t-2\"} 0.5 1520879607.789\n") != text.npos);
  CHECK(text.find("h_bucket{le=\"1.0\"} 1\n") != text.npos);
  CHECK(text.find("h_bucket{le=\"+Inf\"} 2 # {trace_id=\"t-3\"} 7 2.005\n") != text.npos);
}

TEST_CASE("what a collector rejects of a request is read, whatever it says", "[trace export]") {
  const auto both = read_otlp_answer(R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}})");
  CHECK(both.rejected_spans == 3);
  CHECK(both.message == "too old");
  CHECK(read_otlp_answer(R"({"partialSuccess":{"rejectedSpans":2}})").rejected_spans == 2);
  for (const char* text : {"", "{}", "[]", "nonsense", R"({"partialSuccess":7})", R"({"partialSuccess":{}})",
                           R"({"partialSuccess":{"rejectedSpans":-1,"errorMessage":{}}})"}) {
    const auto nothing = read_otlp_answer(text);
    CHECK(nothing.rejected_spans == 0);
    CHECK(nothing.message.empty());
  }
}

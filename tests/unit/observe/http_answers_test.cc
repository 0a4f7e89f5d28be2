#include "manager/observe/http_answers.h"

#include <catch2/catch.hpp>

namespace capsule {
namespace {

HttpHandlers handlers_with(Health health, KeyRuling::Outcome outcome = KeyRuling::Outcome::kUnknown) {
  HttpHandlers handlers;
  handlers.metrics = [](MetricsFormat format) {
    return std::string(format == MetricsFormat::kText ? "text\n" : "open\n");
  };
  handlers.health = [health] { return health; };
  handlers.version = [] { return std::string("{\"version\":\"1\"}"); };
  handlers.golden_signals = [] { return std::string("{\"golden\":1}"); };
  handlers.info = [] { return std::string("{\"info\":1}"); };
  handlers.rule = [outcome](std::string_view key) { return key == "good" ? KeyRuling{outcome, "ci"} : KeyRuling{}; };
  return handlers;
}

HttpQuestion question_for(std::string method, std::string target) {
  return {std::move(method), std::move(target), "localhost:9123", true};
}

const Health kReady{"ready", true, 1.5};

HttpAnswer ask(std::string method, std::string target, Health health = kReady) {
  return answer_http(question_for(std::move(method), std::move(target)), handlers_with(std::move(health)));
}

HttpAnswer ask_with_key(std::string target, KeyRuling::Outcome outcome = KeyRuling::Outcome::kAllowed) {
  HttpQuestion question = question_for("GET", std::move(target));
  question.authorization = "Bearer good";
  return answer_http(question, handlers_with(kReady, outcome));
}

TEST_CASE("metrics come as text format 0.0.4", "[http]") {
  const HttpAnswer answer = ask("GET", "/metrics");
  CHECK(answer.status == 200);
  CHECK(answer.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.body == "text\n");
  CHECK(ask("GET", "/metrics?name[]=up").status == 200);
}

TEST_CASE("metrics come as OpenMetrics where that is wanted", "[http]") {
  HttpQuestion question = question_for("GET", "/metrics");
  // What Prometheus 2.42 sends.
  question.accept =
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
  const HttpAnswer answer = answer_http(question, handlers_with(kReady));
  CHECK(answer.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8");
  CHECK(answer.body == "open\n");
  for (const char* accept : {"", "*/*", "text/plain", "application/openmetrics-text;q=0",
                             "application/openmetrics-textual", "text/plain, application/openmetrics-text;q=0.5"}) {
    INFO(accept);
    CHECK(choose_metrics_format(accept) == MetricsFormat::kText);
  }
  CHECK(choose_metrics_format("application/openmetrics-text") == MetricsFormat::kOpenMetrics);
  CHECK(choose_metrics_format("Application/OpenMetrics-Text") == MetricsFormat::kOpenMetrics);
  CHECK(choose_metrics_format("TEXT/PLAIN;\tQ=0.2, application/openmetrics-text;Q=0.9") == MetricsFormat::kOpenMetrics);
  CHECK(choose_metrics_format("text/plain, APPLICATION/openmetrics-text;Q=0.5") == MetricsFormat::kText);
  CHECK(choose_metrics_format("text/plain;q=0.2, application/openmetrics-text; version=1.0.0; q=0.9") ==
        MetricsFormat::kOpenMetrics);
}

TEST_CASE("a build without profiles says how to get one, to who has a key", "[http]") {
  for (const char* target : {"/debug/pprof/profile", "/debug/pprof/profile?seconds=1", "/debug/pprof/heap"}) {
    const HttpAnswer answer = ask_with_key(target);
    CHECK(answer.status == 501);
    CHECK(answer.body.find("-Dpprof=true") != std::string::npos);
    CHECK_FALSE(answer.cpu_profile);
    CHECK(ask("GET", target).status == 401);
  }
}

TEST_CASE("a profile lasts from 1 to 60 seconds, 30 when nothing is said, and HEAD takes none", "[http]") {
  HttpHandlers handlers = handlers_with(kReady, KeyRuling::Outcome::kAllowed);
  handlers.cpu_profile = [](seconds, const auto&) {};
  handlers.heap_profile = [] { return Result<std::string>("heap"); };
  const auto ask_for = [&](const std::string& target, const char* method = "GET") {
    HttpQuestion question = question_for(method, target);
    question.authorization = "Bearer good";
    return answer_http(question, handlers);
  };
  CHECK(ask_for("/debug/pprof/profile").cpu_profile == seconds(30));
  CHECK(ask_for("/debug/pprof/profile?seconds=1").cpu_profile == seconds(1));
  CHECK(ask_for("/debug/pprof/profile?seconds=60").cpu_profile == seconds(60));
  CHECK_FALSE(ask_for("/debug/pprof/profile?seconds=5", "HEAD").cpu_profile);
  for (const char* query : {"?seconds=0", "?seconds=61", "?seconds=-1", "?seconds=", "?seconds=5x", "?second=5", "?",
                            "?seconds=99999999999999999999"}) {
    const HttpAnswer answer = ask_for(std::string("/debug/pprof/profile") + query);
    INFO(query);
    CHECK(answer.status == 400);
    CHECK_FALSE(answer.cpu_profile);
  }
  CHECK(ask_for("/debug/pprof/heap").body == "heap");
  CHECK(profile_answer(failure(Errc::kConflict, "busy")).status == 409);
  CHECK(profile_answer(failure(Errc::kUnavailable, "no")).status == 503);
}

TEST_CASE("health is 200 while runs are taken, ready also needs Python to have run, live only an answer", "[http]") {
  for (const char* target : {"/health", "/api/health", "/health/ready", "/health/live"}) {
    CHECK(ask("GET", target).status == 200);
  }
  CHECK(ask("GET", "/health").body == "{\"state\":\"ready\",\"ready\":true,\"python_ran_s\":1.5}\n");
  const Health no_python{"ready", true, {}}, draining{"draining", false, 1.0};
  CHECK(ask("GET", "/health", no_python).status == 200);
  CHECK(ask("GET", "/health/ready", no_python).status == 503);
  CHECK(ask("GET", "/health/ready", draining).status == 503);
  CHECK(ask("GET", "/health", draining).status == 503);
  CHECK(ask("GET", "/health", draining).body.find("\"state\":\"draining\"") != std::string::npos);
  CHECK(ask("GET", "/health/live", draining).status == 200);
}

TEST_CASE("who is not ready although it is up says why", "[http]") {
  Health health{"ready", false, 1.0};
  health.reason = "runs cannot be recorded now: disk full";
  for (const auto route : {label::HttpRoute::kHealth, label::HttpRoute::kHealthReady}) {
    const HttpAnswer answer = health_answer(route, health);
    CHECK(answer.status == 503);
    CHECK(answer.body.find("\"reason\":\"runs cannot be recorded now: disk full\"") != std::string::npos);
  }
  CHECK(health_answer(label::HttpRoute::kHealthLive, health).status == 200);
}

TEST_CASE("an old proof that Python runs is none, and a new one is asked for where that can help", "[http]") {
  const Health fresh{"ready", true, kProofSecondsMax}, stale{"ready", true, kProofSecondsMax + 1};
  const Health never{"ready", true, {}}, draining{"draining", false, {}};
  HttpHandlers handlers = handlers_with(fresh);
  handlers.prove = [](const std::function<void(Health)>&) {};
  const auto wants_proof = [&](const Health& health, const char* target) {
    handlers.health = [health] { return health; };
    return answer_http(question_for("GET", target), handlers).wants_proof;
  };
  CHECK(ask("GET", "/health/ready", fresh).status == 200);
  CHECK(ask("GET", "/health/ready", stale).status == 503);
  CHECK(ask("GET", "/health", stale).status == 200);
  CHECK(ask("GET", "/health", stale).body.find("\"ready\":false") != std::string::npos);
  CHECK_FALSE(ask("GET", "/health/ready", stale).wants_proof);  // nobody there who could
  CHECK(wants_proof(stale, "/health/ready"));
  CHECK(wants_proof(never, "/health/ready"));
  CHECK_FALSE(wants_proof(fresh, "/health/ready"));
  CHECK_FALSE(wants_proof(draining, "/health/ready"));
  CHECK_FALSE(wants_proof(stale, "/health"));
  CHECK_FALSE(wants_proof(stale, "/health/live"));
}

TEST_CASE("version needs no key", "[http]") {
  for (const char* target : {"/version", "/api/version"}) CHECK(ask("GET", target).body == "{\"version\":\"1\"}\n");
}

TEST_CASE("what is not metrics, health or version needs a key, known path or not", "[http]") {
  for (const char* target : {"/", "/info", "/golden-signals", "/metrics/", "/../etc/passwd", "/Metrics", "", "*"}) {
    INFO(target);
    CHECK(ask("GET", target).status == 401);
    CHECK(ask_with_key(target, KeyRuling::Outcome::kExpired).status == 401);
    CHECK(ask_with_key(target, KeyRuling::Outcome::kTooMany).status == 429);
  }
  CHECK(ask_with_key("/info").body == "{\"info\":1}\n");
  CHECK(ask_with_key("/golden-signals").body == "{\"golden\":1}\n");
  CHECK(ask_with_key("/").body.find("/health/ready") != std::string::npos);
  CHECK(ask_with_key("/nosuch").status == 404);
  CHECK(ask_with_key("/info").key->name == "ci");
  CHECK_FALSE(ask_with_key("/metrics").key);
}

TEST_CASE("a key comes as bearer or in X-API-Key, and in no other way", "[http]") {
  const auto status = [](const char* authorization, const char* api_key) {
    HttpQuestion question = question_for("GET", "/info");
    question.authorization = authorization;
    question.api_key = api_key;
    return answer_http(question, handlers_with(kReady, KeyRuling::Outcome::kAllowed)).status;
  };
  CHECK(status("Bearer good", "") == 200);
  CHECK(status("bearer good", "") == 200);
  CHECK(status("", "good") == 200);
  CHECK(status("Basic good", "good") == 200);
  CHECK(status("good", "") == 401);
  CHECK(status("Bearer  good", "") == 401);
  CHECK(status("Bearer bad", "good") == 401);
  CHECK(status("", "bad") == 401);
}

TEST_CASE("request ids are what can stand in a log line as it is", "[http]") {
  for (const char* id : {"a", "0190-abc", "svc:1.2_3", "Z"}) CHECK(is_request_id(id));
  for (const char* id : {"", "a b", "a\nb", "\"", "a=b", "\xC3\xA9", "a/b"}) CHECK_FALSE(is_request_id(id));
  CHECK(is_request_id(std::string(HttpExporter::kRequestIdBytes, 'x')));
  CHECK_FALSE(is_request_id(std::string(HttpExporter::kRequestIdBytes + 1, 'x')));
}

TEST_CASE("methods that could change something are not allowed", "[http]") {
  CHECK(ask("HEAD", "/metrics").status == 200);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "BREW"}) {
    CHECK(ask(method, "/metrics").status == 405);
    CHECK(ask(method, "/info").status == 405);
  }
}

TEST_CASE("only loopback names are served", "[http]") {
  for (const char* host :
       {"localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9123", "127.8.9.1", "[::1]", "[::1]:9"}) {
    INFO(host);
    CHECK(is_loopback_host(host));
  }
  for (const char* host : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]",
                           "[::1]x", "[::1", "127.1", "0.0.0.0", "::1"}) {
    INFO(host);
    CHECK_FALSE(is_loopback_host(host));
  }
  CHECK(answer_http({"GET", "/metrics", "evil.example", true}, handlers_with({})).status == 421);
}

TEST_CASE("HTTP/1.1 needs a Host, HTTP/1.0 does not", "[http]") {
  CHECK(answer_http({"GET", "/metrics", std::nullopt, true}, handlers_with({})).status == 400);
  CHECK(answer_http({"GET", "/metrics", std::nullopt, false}, handlers_with({})).status == 200);
}

}  // namespace
}  // namespace capsule

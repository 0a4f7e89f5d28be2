#include "manager/observe/http_answers.h"

#include <catch2/catch.hpp>

namespace capsule {
namespace {

HttpHandlers handlers_with(Health health) {
  return {[] { return std::string("capsule_x 1\n"); }, [health] { return health; }};
}

HttpAnswer ask(std::string method, std::string target, Health health = {"ready", true}) {
  return answer_http({std::move(method), std::move(target), "localhost:9123", true}, handlers_with(std::move(health)));
}

TEST_CASE("metrics come as text format 0.0.4", "[http]") {
  const HttpAnswer answer = ask("GET", "/metrics");
  CHECK(answer.status == 200);
  CHECK(answer.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(answer.body == "capsule_x 1\n");
  CHECK(ask("GET", "/metrics?name[]=up").status == 200);
}

TEST_CASE("health is 200 while runs are accepted, else 503, with the state in both", "[http]") {
  CHECK(ask("GET", "/health").status == 200);
  CHECK(ask("GET", "/health").body == "{\"state\":\"ready\"}\n");
  CHECK(ask("GET", "/health", {"draining", false}).status == 503);
  CHECK(ask("GET", "/health", {"draining", false}).body == "{\"state\":\"draining\"}\n");
}

TEST_CASE("other paths are not found, other methods not allowed", "[http]") {
  CHECK(ask("GET", "/").status == 200);
  CHECK(ask("HEAD", "/metrics").status == 200);
  for (const char* target : {"/metrics/", "/../etc/passwd", "/Metrics", "", "*", "http://localhost/metrics"}) {
    CHECK(ask("GET", target).status == 404);
  }
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "BREW"}) {
    CHECK(ask(method, "/metrics").status == 405);
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

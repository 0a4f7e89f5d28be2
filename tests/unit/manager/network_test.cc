// Where programs may connect, and how they ask.
#include <catch2/catch.hpp>

#include "manager/net/http_head.h"
#include "manager/net/network_rules.h"

using namespace capsule;

namespace {
const std::vector<AllowedHost> kList{{"pypi.org", 443}, {"127.0.0.1", 8080}, {"localhost", 8080}, {"localhost", 9}};
}

TEST_CASE("only the exact host and port are listed", "[network]") {
  CHECK(is_listed(kList, "pypi.org", 443));
  CHECK_FALSE(is_listed(kList, "pypi.org", 80));
  CHECK_FALSE(is_listed(kList, "evil.pypi.org", 443));
  CHECK_FALSE(is_listed(kList, "pypi.org.", 443));
}

TEST_CASE("addresses of machines and networks of one's own are not public", "[network]") {
  for (const char* address : {"127.0.0.1",
                              "10.1.2.3",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "169.254.169.254",
                              "100.64.0.1",
                              "0.0.0.0",
                              "224.0.0.1",
                              "255.255.255.255",
                              "192.0.2.1",
                              "::1",
                              "::",
                              "fe80::1",
                              "fc00::1",
                              "ff02::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "2002:7f00:1::",
                              "64:ff9b::7f00:1",
                              "2001:db8::1",
                              "2001::1",
                              "nonsense",
                              ""}) {
    INFO(address);
    CHECK_FALSE(is_public_address(address));
  }
  for (const char* address :
       {"151.101.0.223", "8.8.8.8", "172.32.0.1", "2a04:4e42::223", "2606:4700::1111", "::ffff:8.8.8.8"}) {
    INFO(address);
    CHECK(is_public_address(address));
  }
}

TEST_CASE("a listed name may lead to a private address only when that is listed too", "[network]") {
  CHECK(may_connect(kList, "pypi.org", "151.101.0.223", 443));
  CHECK_FALSE(may_connect(kList, "pypi.org", "127.0.0.1", 443));
  CHECK(may_connect(kList, "127.0.0.1", "127.0.0.1", 8080));
  CHECK(may_connect(kList, "localhost", "127.0.0.1", 8080));
  CHECK_FALSE(may_connect(kList, "localhost", "127.0.0.1", 9));
  CHECK_FALSE(may_connect(kList, "other.org", "151.101.0.223", 443));
}

TEST_CASE("CONNECT asks for a tunnel", "[network]") {
  const auto request = parse_proxy_request("CONNECT PyPI.org:443 HTTP/1.1\r\nHost: pypi.org\r\n\r\n");
  REQUIRE(request);
  CHECK(request->is_tunnel);
  CHECK(request->host == "pypi.org");
  CHECK(request->port == 443);
  CHECK(request->forwarded.empty());
}

TEST_CASE("a plain request goes on with its path, for one answer", "[network]") {
  const auto request = parse_proxy_request(
      "POST http://example.org:8080/a?b=c HTTP/1.1\r\nHost: example.org\r\nProxy-Connection: keep-alive\r\n"
      "Content-Length: 2\r\n\r\n");
  REQUIRE(request);
  CHECK_FALSE(request->is_tunnel);
  CHECK(request->port == 8080);
  CHECK(request->forwarded ==
        "POST /a?b=c HTTP/1.1\r\nHost: example.org\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
  const auto bare = parse_proxy_request("GET http://[2a04:4e42::223] HTTP/1.0\r\n\r\n");
  REQUIRE(bare);
  CHECK(bare->host == "2a04:4e42::223");
  CHECK(bare->port == 80);
  CHECK(bare->forwarded.starts_with("GET / HTTP/1.1\r\n"));
}

TEST_CASE("what is neither is refused", "[network]") {
  for (const char* head :
       {"", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET https://a/ HTTP/1.1\r\n\r\n", "CONNECT a HTTP/1.1\r\n\r\n",
        "CONNECT a:0 HTTP/1.1\r\n\r\n", "CONNECT a:99999 HTTP/1.1\r\n\r\n", "CONNECT a b:1 HTTP/1.1\r\n\r\n",
        "CONNECT a:1 HTTP/2\r\n\r\n", "CONNECT a:1\r\n\r\n", "CONNECT a\t:1 HTTP/1.1\r\n\r\n",
        "GET http://user@host/ HTTP/1.1\r\n\r\n", "GET http:// HTTP/1.1\r\n\r\n"}) {
    INFO(head);
    CHECK_FALSE(parse_proxy_request(head));
  }
}

TEST_CASE("a head ends with an empty line", "[network]") {
  CHECK_FALSE(head_size("GET http://a/ HTTP/1.1\r\n"));
  CHECK(head_size("A\r\n\r\nbody") == 5);
}

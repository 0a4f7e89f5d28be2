#include "cli/client.h"

#include <catch2/catch.hpp>

#include "protocol/codec.h"
#include "tests/unit/cli/scripted_manager.h"

namespace capsule::cli {
namespace {

Hello manager_hello() { return Hello{.version = kProtocolVersion, .role = "manager", .software = "m/1"}; }
TimePoint soon() { return now() + seconds(10); }

}  // namespace

TEST_CASE("the client introduces itself and learns who the manager is", "[cli]") {
  auto [client, manager] = make_connection();
  manager.send(manager_hello());
  REQUIRE(client.exchange_hello(soon()));
  CHECK(client.manager().software == "m/1");
  const auto hello = manager.expect<Hello>();
  CHECK(hello.role == "client");
  CHECK(hello.version == kProtocolVersion);
  CHECK(hello.features == own_features());
}

TEST_CASE("a manager that refuses the connection is quoted, and is not nobody", "[cli]") {
  const std::string code = GENERATE("refused", "unavailable");
  auto [client, manager] = make_connection();
  manager.send(ErrorReply{.re = 0, .code = code, .message = "not for uid 7"});
  manager.close();
  const auto status = client.exchange_hello(soon());
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::kRefused);
  CHECK(status.error().message.ends_with(" refused the connection: not for uid 7"));
}

TEST_CASE("another version of the protocol is named", "[cli]") {
  auto [client, manager] = make_connection();
  Hello hello = manager_hello();
  hello.version = 99;
  manager.send(hello);
  CHECK(client.exchange_hello(soon()).error().message.find("99") != std::string::npos);
}

TEST_CASE("what is not a manager is not trusted", "[cli]") {
  auto [client, manager] = make_connection();
  manager.send(Hello{.version = kProtocolVersion, .role = "worker"});
  CHECK(client.exchange_hello(soon()).error().code == Errc::kInvalid);
}

TEST_CASE("a listener that never answers is given up on", "[cli]") {
  auto [client, manager] = make_connection();
  CHECK(client.exchange_hello(now()).error().code == Errc::kTimedOut);
}

TEST_CASE("garbage instead of frames is an error, not a wait", "[cli]") {
  auto [client, manager] = make_connection();
  manager.send_raw("HTTP/1.1 400 Bad Request\r\n\r\n");
  CHECK_FALSE(client.exchange_hello(soon()));
}

TEST_CASE("a call skips what is about other things", "[cli]") {
  auto [client, manager] = make_connection();
  manager.send(Shutdown{.reason = "soon"});
  manager.send(Ack{.re = 99});
  manager.send(Document{.re = 1, .json = {"{}"}});
  const uint64_t id = client.next_id();
  const auto answer = client.call(id, InfoRequest{.id = id});
  REQUIRE(answer);
  CHECK(std::get<Document>(*answer).json.value == "{}");
  CHECK(manager.expect<InfoRequest>().id == 1);
}

TEST_CASE("a refused call is an error with the manager's code and words", "[cli]") {
  auto [client, manager] = make_connection();
  manager.send(ErrorReply{.re = 1, .code = "not_found", .message = "no such run"});
  const uint64_t id = client.next_id();
  const auto answer = client.call(id, Cancel{.id = id, .run_id = "r"});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::kNotFound);
  CHECK(answer.error().message == "no such run");
}

TEST_CASE("an error code of the future is still an error", "[cli]") {
  CHECK(error_from(ErrorReply{.code = "sunspots", .message = "m"}).code == Errc::kSystem);
}

TEST_CASE("a call on a connection that closed says so", "[cli]") {
  auto [client, manager] = make_connection();
  manager.close();
  const uint64_t id = client.next_id();
  CHECK(client.call(id, InfoRequest{.id = id}).error().code == Errc::kClosed);
}

TEST_CASE("a socket path that does not fit an address is refused by its length", "[cli]") {
  const auto client = Client::connect({"/" + std::string(200, 'x'), SocketOwner::kNamed});
  REQUIRE_FALSE(client);
  CHECK(client.error().code == Errc::kInvalid);
}

TEST_CASE("nobody listening is told from other failures", "[cli]") {
  const auto client = Client::connect({"/nonexistent/capsule.sock", SocketOwner::kNamed});
  REQUIRE_FALSE(client);
  CHECK(client.error().code == Errc::kUnavailable);
}

}  // namespace capsule::cli

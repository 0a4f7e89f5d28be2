// A real listener on loopback and clients on the same loop: one thread, no waiting but for the sockets themselves.
#include "manager/observe/http_exporter.h"

#include <fcntl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <vector>

namespace capsule {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr seconds kTestDeadline{20};

HttpHandlers test_handlers() {
  HttpHandlers handlers;
  handlers.metrics = [](MetricsFormat) { return std::string("capsule_x 1\n"); };
  handlers.health = [] { return Health{"ready", true, 1.0}; };
  handlers.version = handlers.golden_signals = handlers.info = [] { return std::string("{}"); };
  handlers.rule = [](std::string_view) { return KeyRuling{}; };
  handlers.on_answered = [](const HttpExchange&) {};
  return handlers;
}

uint16_t port_of(const HttpExporter& exporter) {
  const std::string address = exporter.address();
  return static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

class Client {
 public:
  Client(asio::io_context& loop, const HttpExporter& exporter) : loop_(loop), socket_(loop) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port_of(exporter)});
  }

  void send(const std::string& text) {
    error_code ignored;  // the server may already have closed
    asio::write(socket_, asio::buffer(text), ignored);
  }
  void finish_sending() { socket_.shutdown(tcp::socket::shutdown_send); }

  // Runs the loop until the server closes; everything it said.
  std::string read_to_end() {
    std::string text;
    bool done = false;
    asio::async_read(socket_, asio::dynamic_buffer(text), [&](error_code, size_t) { done = true; });
    loop_.restart();
    while (!done && loop_.run_one_for(kTestDeadline) > 0) {
    }
    REQUIRE(done);
    return text;
  }

 private:
  asio::io_context& loop_;
  tcp::socket socket_;
};

struct Fixture {
  asio::io_context loop;
  std::shared_ptr<HttpExporter> exporter = HttpExporter::listen(loop, "127.0.0.1:0", test_handlers()).value();

  std::string ask(const std::string& request) {
    Client client(loop, *exporter);
    client.send(request);
    return client.read_to_end();
  }
};

TEST_CASE_METHOD(Fixture, "a scrape gets the metrics", "[http]") {
  const std::string answer = ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\ncapsule_x 1\n"));
}

TEST_CASE_METHOD(Fixture, "HEAD has the length and no body", "[http]") {
  const std::string answer = ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(answer.find("Content-Length: 12\r\n") != std::string::npos);
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE_METHOD(Fixture, "a connection serves several requests, also pipelined ones", "[http]") {
  const std::string answer =
      ask("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
          "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
          "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(answer.find("{\"state\":\"ready\",") != std::string::npos);
  CHECK(answer.find("capsule_x 1\n") != std::string::npos);
  CHECK(answer.find("HTTP/1.1 401 Unauthorized\r\n") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a request id that can stand in a log line is kept, any other is replaced", "[http]") {
  const auto id_of = [&](const std::string& header) {
    const std::string answer =
        ask("GET /version HTTP/1.1\r\nHost: localhost\r\n" + header + "Connection: close\r\n\r\n");
    const size_t begin = answer.find("X-Request-ID: ");
    REQUIRE(begin != std::string::npos);
    return answer.substr(begin + 14, answer.find("\r\n", begin) - begin - 14);
  };
  CHECK(id_of("X-Request-ID: job-7.a\r\n") == "job-7.a");
  const std::string made = id_of("X-Request-ID: two words\r\n");
  CHECK(made.size() == 36);
  CHECK(id_of("") != made);
}

TEST_CASE_METHOD(Fixture, "a body in a transfer coding that is not understood ends the connection", "[http]") {
  for (const char* codings : {"gzip", "gzip, chunked", "identity", "chunked\r\nTransfer-Encoding: chunked"}) {
    INFO(codings);
    const std::string answer =
        ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: " + std::string(codings) +
            "\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK((answer.starts_with("HTTP/1.1 501 ") || answer.starts_with("HTTP/1.1 400 ")));
    CHECK(answer.find("HTTP/1.1 200") == std::string::npos);
  }
  CHECK(ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\nConnection: "
            "close\r\n\r\n0\r\n\r\n")
            .starts_with("HTTP/1.1 200 "));
}

TEST_CASE_METHOD(Fixture, "wrong methods and hosts are refused in HTTP's own words", "[http]") {
  const std::string post = ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(post.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  CHECK(post.find("Allow: GET, HEAD\r\n") != std::string::npos);
  CHECK(ask("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 421 "));
  CHECK(ask("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .starts_with("HTTP/1.1 400 "));
}

TEST_CASE_METHOD(Fixture, "headers and bodies beyond their limits are refused", "[http]") {
  const std::string padding(2 * HttpExporter::kHeaderBytes, 'x');
  CHECK(ask("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + padding + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
  CHECK(ask("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x'))
            .starts_with("HTTP/1.1 413 "));
}

TEST_CASE_METHOD(Fixture, "who waits for leave to send a body is answered without it", "[http]") {
  const std::string waiting = "GET /version HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ";
  const std::string answer = ask(waiting + "9\r\n\r\n");
  CHECK(answer.starts_with("HTTP/1.1 200 "));
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);  // whether the body follows is not known
  CHECK(ask(waiting + "2000\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

TEST_CASE("what cannot be read is told of like any other request, under its id where that could be read", "[http]") {
  asio::io_context loop;
  std::vector<HttpExchange> told;
  HttpHandlers handlers = test_handlers();
  handlers.on_answered = [&](const HttpExchange& exchange) { told.push_back(exchange); };
  const auto exporter = HttpExporter::listen(loop, "127.0.0.1:0", std::move(handlers)).value();
  const auto ask = [&](const std::string& request) {
    Client client(loop, *exporter);
    client.send(request);
    return client.read_to_end();
  };
  ask("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(2 * HttpExporter::kHeaderBytes, 'x') + "\r\n\r\n");
  ask("GET / HTTP/1.1\r\nX-Request-ID: q-413\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x'));
  const std::string garbage = ask("\x01\x02 garbage\r\n\r\n");
  REQUIRE(told.size() == 3);
  CHECK(told[0].status == 431);
  CHECK(told[1].status == 413);
  CHECK(told[1].request_id == "q-413");
  CHECK(told[2].status == 400);
  CHECK(garbage.find("X-Request-ID: " + told[2].request_id + "\r\n") != std::string::npos);
  for (const HttpExchange& exchange : told) {
    CHECK(exchange.request_id.size() >= 5);
    CHECK(exchange.method == label::HttpMethod::kOther);
    CHECK(exchange.route == label::HttpRoute::kOther);
    CHECK(exchange.path.empty());
  }
}

TEST_CASE_METHOD(Fixture, "garbage gets 400 and the end of the connection", "[http]") {
  CHECK(ask("\x01\x02 garbage\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(ask("GET / HTTP/9.9\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_CASE_METHOD(Fixture, "a client that leaves in the middle of a request costs nothing", "[http]") {
  Client client(loop, *exporter);
  client.send("GET /met");
  client.finish_sending();
  CHECK(client.read_to_end().empty());
  CHECK(ask("GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("a client that says nothing is cut off at the deadline", "[http]") {
  asio::io_context loop;
  const auto exporter =
      HttpExporter::listen(loop, "127.0.0.1:0", test_handlers(), {.connections = 4, .deadline = milliseconds(20)});
  REQUIRE(exporter.has_value());
  Client silent(loop, **exporter);
  CHECK(silent.read_to_end().empty());
  Client slow(loop, **exporter);
  slow.send("GET / HT");
  CHECK(slow.read_to_end().empty());
}

TEST_CASE("a client that does not take its answer is cut off at the deadline", "[http]") {
  asio::io_context loop;
  HttpHandlers handlers = test_handlers();
  const std::string large(64u << 20, 'x');  // more than the sockets' buffers take
  handlers.metrics = [&large](MetricsFormat) { return large; };
  size_t answered = 0;
  handlers.on_answered = [&answered](const HttpExchange&) { ++answered; };
  const auto exporter =
      HttpExporter::listen(loop, "127.0.0.1:0", handlers, {.connections = 1, .deadline = milliseconds(20)});
  REQUIRE(exporter.has_value());
  Client stuck(loop, **exporter);
  stuck.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  while (answered == 0 && loop.run_one_for(kTestDeadline) > 0) {
  }
  REQUIRE(answered == 1);
  std::string text;
  const TimePoint until = now() + kTestDeadline;
  while (text.empty() && now() < until) {
    loop.restart();
    loop.run_one_for(milliseconds(10));
    Client other(loop, **exporter);
    other.send("GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    text = other.read_to_end();
  }
  CHECK(text.starts_with("HTTP/1.1 200 "));
  CHECK(stuck.read_to_end().size() < large.size());
}

TEST_CASE("who asks whether all is ready waits until Python has run", "[http]") {
  asio::io_context loop;
  HttpHandlers handlers = test_handlers();
  handlers.health = [] { return Health{"ready", true, {}}; };
  std::vector<std::function<void(Health)>> waiting;
  handlers.prove = [&waiting](std::function<void(Health)> told) { waiting.push_back(std::move(told)); };
  const auto exporter = HttpExporter::listen(loop, "127.0.0.1:0", handlers);
  REQUIRE(exporter.has_value());
  const char* const request = "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  for (const auto& [ran_s, status] :
       {std::pair(std::optional(0.0), " 200 "), std::pair(std::optional<double>(), " 503 ")}) {
    Client client(loop, **exporter);
    client.send(request);
    loop.restart();
    while (waiting.empty() && loop.run_one_for(kTestDeadline) > 0) {
    }
    REQUIRE(waiting.size() == 1);
    std::exchange(waiting, {}).front()(Health{"ready", true, ran_s});
    CHECK(client.read_to_end().find(status) == 8);
  }
}

TEST_CASE("those who keep a server waiting keep nobody out", "[http]") {
  asio::io_context loop;
  const auto exporter = HttpExporter::listen(loop, "127.0.0.1:0", test_handlers(), {.connections = 2});
  REQUIRE(exporter.has_value());
  Client first(loop, **exporter);
  first.send("GET /met");
  Client second(loop, **exporter);
  loop.run_one_for(kTestDeadline);
  Client third(loop, **exporter);
  third.send("GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(third.read_to_end().starts_with("HTTP/1.1 200 "));
  CHECK(first.read_to_end().empty());  // had waited longest
}

TEST_CASE("connections beyond the limit are closed while all others are being answered", "[http]") {
  asio::io_context loop;
  HttpHandlers handlers = test_handlers();
  handlers.health = [] { return Health{"ready", true, {}}; };
  std::vector<std::function<void(Health)>> asked;
  handlers.prove = [&asked](std::function<void(Health)> told) { asked.push_back(std::move(told)); };
  const auto exporter = HttpExporter::listen(loop, "127.0.0.1:0", std::move(handlers), {.connections = 1});
  REQUIRE(exporter.has_value());
  Client first(loop, **exporter);
  first.send("GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  while (asked.empty() && loop.run_one_for(kTestDeadline) > 0) {
  }
  REQUIRE(asked.size() == 1);
  Client second(loop, **exporter);
  CHECK(second.read_to_end().empty());
  asked.front()(Health{"ready", true, 1.0});
  CHECK(first.read_to_end().starts_with("HTTP/1.1 200 "));
}

TEST_CASE("only loopback addresses are listened on", "[http]") {
  asio::io_context loop;
  for (const char* address : {"0.0.0.0:0", "[::]:0", "10.1.2.3:0", "example.org:80", "127.0.0.1",
                              "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:70000", ":80", "127.0.0.1:-1", "[::1:80"}) {
    INFO(address);
    const auto exporter = HttpExporter::listen(loop, address, test_handlers());
    REQUIRE_FALSE(exporter.has_value());
    CHECK(exporter.error().message.find(address) != std::string::npos);
  }
  CHECK(HttpExporter::listen(loop, "localhost:0", test_handlers()).has_value());
}

TEST_CASE("a port that is taken is an error", "[http]") {
  asio::io_context loop;
  const auto first = HttpExporter::listen(loop, "127.0.0.1:0", test_handlers());
  REQUIRE(first.has_value());
  CHECK_FALSE(HttpExporter::listen(loop, (*first)->address(), test_handlers()).has_value());
}

TEST_CASE("after close the loop runs dry, and clients see the end", "[http]") {
  asio::io_context loop;
  auto exporter = HttpExporter::listen(loop, "127.0.0.1:0", test_handlers()).value();
  Client client(loop, *exporter);
  client.send("GET /");
  while (loop.poll_one() > 0) {
  }
  exporter->close();
  CHECK(exporter->address().empty());
  CHECK(client.read_to_end().empty());
  loop.restart();
  loop.run_for(kTestDeadline);
  CHECK(loop.stopped());
}

TEST_CASE("dropping the exporter is closing it", "[http]") {
  asio::io_context loop;
  HttpExporter::listen(loop, "127.0.0.1:0", test_handlers()).value().reset();
  loop.run_for(kTestDeadline);
  CHECK(loop.stopped());
}

}  // namespace
}  // namespace capsule

#include "benchmarks/sink_collector.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/posix_io.h"

namespace capsule::bench {
namespace {

constexpr milliseconds kLook{10};
constexpr std::string_view kTaken =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

// Bytes of the whole request, once its header is there; 0: not yet.
size_t size_of(const std::string& request) {
  constexpr std::string_view kLength = "Content-Length: ", kEnd = "\r\n\r\n";
  const size_t end = request.find(kEnd);
  if (end == std::string::npos) return 0;
  const size_t length = request.find(kLength);
  const size_t body = length < end ? std::strtoul(request.c_str() + length + kLength.size(), nullptr, 10) : 0;
  return end + kEnd.size() + body;
}

bool take(int socket) {
  std::string request;
  std::array<char, 64u << 10> block;
  while (size_of(request) == 0 || request.size() < size_of(request)) {
    const ssize_t got = read(socket, block.data(), block.size());
    if (got <= 0 || request.size() > SinkCollector::kRequestBytes) return false;
    request.append(block.data(), static_cast<size_t>(got));
  }
  return write_all(socket, kTaken).has_value();
}

}  // namespace

Result<std::unique_ptr<SinkCollector>> SinkCollector::start() {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener) return system_failure("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const at = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.get(), at, size) != 0 || listen(listener.get(), 8) != 0 ||
      getsockname(listener.get(), at, &size) != 0) {
    return system_failure("listen for spans");
  }
  return std::unique_ptr<SinkCollector>(new SinkCollector(std::move(listener), ntohs(address.sin_port)));
}

SinkCollector::SinkCollector(UniqueFd listener, unsigned port)
    : listener_(std::move(listener)), port_(port), thread_([this] { take_all(); }) {}

SinkCollector::~SinkCollector() {
  stopped_ = true;
  shutdown(listener_.get(), SHUT_RDWR);  // accept() returns
  thread_.join();
}

std::string SinkCollector::endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }

bool SinkCollector::was_asked_within(Duration patience) const {
  const TimePoint until = now() + patience;
  while (taken_ == 0 && now() < until) std::this_thread::sleep_for(kLook);
  return taken_ > 0;
}

void SinkCollector::take_all() {
  while (!stopped_) {
    const UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket && take(socket.get())) ++taken_;
  }
}

}  // namespace capsule::bench

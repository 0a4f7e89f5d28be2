#include "benchmarks/scraper.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/posix_io.h"

namespace capsule::bench {
namespace {

constexpr size_t kScrapeBytes = 4u << 20;

Result<UniqueFd> connect_to(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::strtoul(address.c_str() + colon + 1, nullptr, 10)));
  if (colon == std::string::npos || inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) {
    return failure(Errc::kInvalid, "no address to scrape: '" + address + "'");
  }
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return system_failure("socket");
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    return system_failure("connect to " + address);
  }
  return socket;
}

Status scrape(const std::string& address) {
  const Result<UniqueFd> socket = connect_to(address);
  if (!socket) return tl::unexpected(socket.error());
  const std::string question = "GET /metrics HTTP/1.1\r\nHost: " + address +
                               "\r\nAccept: application/openmetrics-text\r\nConnection: close\r\n\r\n";
  if (auto asked = write_all(socket->get(), question); !asked) return asked;
  std::string answer;
  std::array<char, 16u << 10> block;
  for (ssize_t got = 1; got > 0 && answer.size() < kScrapeBytes;) {
    got = read(socket->get(), block.data(), block.size());
    if (got > 0) answer.append(block.data(), static_cast<size_t>(got));
  }
  if (answer.starts_with("HTTP/1.1 200") && answer.ends_with("# EOF\n")) return {};
  return failure(Errc::kInvalid, "a scrape brought no metrics: " + answer.substr(0, 200));
}

}  // namespace

Scraper::Scraper(std::string address) : address_(std::move(address)), thread_([this] { scrape_on(); }) {}

Scraper::~Scraper() { (void)stop(); }

void Scraper::scrape_on() {
  std::unique_lock lock(mutex_);
  do {
    lock.unlock();
    Status done = scrape(address_);
    lock.lock();
    ++scrapes_;
    if (!done) failure_ = std::move(done);
  } while (!told_.wait_for(lock, kInterval, [this] { return stopped_; }));
}

Status Scraper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  told_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (failure_ && scrapes_ == 0) return failure(Errc::kUnavailable, "there was no scrape");
  return failure_;
}

}  // namespace capsule::bench

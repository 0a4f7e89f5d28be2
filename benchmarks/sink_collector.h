// An OTLP collector that throws away what it takes: the other end of a manager's exporter. Listens on a free port of
// loopback, on a thread of its own, for as long as the object lives. One request at a time, which is what the exporter
// sends; one that is larger than kRequestBytes, or no HTTP, costs its connection.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule::bench {

class SinkCollector {
 public:
  static constexpr size_t kRequestBytes = 64u << 20;

  static Result<std::unique_ptr<SinkCollector>> start();
  ~SinkCollector();
  SinkCollector(const SinkCollector&) = delete;
  SinkCollector& operator=(const SinkCollector&) = delete;

  std::string endpoint() const;  // http://127.0.0.1:PORT
  // Whether a request has come, or comes soon.
  bool was_asked_within(Duration patience) const;

 private:
  SinkCollector(UniqueFd listener, unsigned port);
  void take_all();

  UniqueFd listener_;
  unsigned port_;
  std::atomic<bool> stopped_{false};
  std::atomic<uint64_t> taken_{0};
  std::thread thread_;  // last: it uses the others
};

}  // namespace capsule::bench

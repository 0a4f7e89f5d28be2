// Asks a manager for its metrics, as Prometheus would: OpenMetrics, at once and then every second, for as long as the
// object lives. On a thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"

namespace capsule::bench {

class Scraper {
 public:
  static constexpr seconds kInterval{1};

  explicit Scraper(std::string address);  // "127.0.0.1:9123"
  ~Scraper();
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

  // Ends it. An error when a scrape failed, or there was none.
  Status stop();

 private:
  void scrape_on();

  std::string address_;
  std::mutex mutex_;
  std::condition_variable told_;
  bool stopped_ = false;
  size_t scrapes_ = 0;
  Status failure_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace capsule::bench

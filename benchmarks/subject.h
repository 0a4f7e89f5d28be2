// Capsule as it is measured: a manager of the benchmark's own on a socket in a directory of its own, and one
// connection to it. Ends with this object; its directory goes too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "benchmarks/child.h"
#include "cli/client.h"

namespace capsule::bench {

inline constexpr seconds kManagerStartTimeout{60};
inline constexpr seconds kStockTimeout{60};
inline constexpr const char* kProfile = "data";
inline constexpr seconds kGrace{1};  // run.grace_s, as it ships

struct Stock {
  size_t workers = 0;  // pool.warm
  size_t capsules = 0;
};

class Subject {
 public:
  // `config` is more lines of its configuration: tables that the usual ones do not have.
  struct Options {
    Stock stock;
    std::string config = {};
    std::string http = {};  // ADDR:PORT to listen on; empty: nowhere
  };
  static Result<std::unique_ptr<Subject>> start(const Options& options);
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject();

  cli::Client& client() { return *client_; }
  const std::string& socket() const { return socket_; }
  pid_t manager_pid() const { return manager_->pid(); }
  Stock stock() const { return stock_; }

  // Until the profile's stocks are full and nothing is starting or retiring.
  Status wait_for_stock();
  // Where it listens for HTTP.
  Result<std::string> http_address();
  // Modules the profile preloads; its zygotes' pids.
  Result<std::vector<std::string>> preload();
  Result<std::vector<pid_t>> zygotes();

 private:
  explicit Subject(std::string directory) : directory_(std::move(directory)), socket_(directory_ + "/socket") {}

  std::string directory_, socket_;
  Stock stock_;
  std::unique_ptr<Child> manager_;
  std::unique_ptr<cli::Client> client_;
};

}  // namespace capsule::bench

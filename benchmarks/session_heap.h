// Sessions that hold a heap of a given size and a counter, and are asked for both after whatever happened to them:
// a session that went back and lost something ends the benchmark.
#pragma once

#include <sys/types.h>

#include <string>

#include "benchmarks/runs.h"

namespace capsule::bench {

class HeapSession {
 public:
  // `rollback`: its policy. The heap is of small pages, each of them written; MB of 10^6 bytes.
  static Result<HeapSession> open(cli::Client& client, size_t heap_mb, const std::string& rollback);

  const std::string& id() const { return id_; }
  // One run with this policy of its own; the heap and the counter must be what they were.
  Status check(const std::string& rollback = {});
  // One run that spoils the counter and goes on with `code`, so that only going back makes the session right again.
  Result<Ended> spoil(const std::string& code);
  // The same, cancelled in its loop.
  Result<Ended> spoil_and_cancel(const std::string& code, milliseconds head);
  // undo, restore, checkpoint, checkpoint_rm: from the request to the answer.
  Result<Duration> timed(const std::string& operation, const std::string& checkpoint = {});
  // The process of its only checkpoint.
  Result<pid_t> checkpoint_pid();
  Status close() { return remove_session(client_, id_); }

 private:
  HeapSession(cli::Client& client, std::string id, size_t heap_mb)
      : client_(client), id_(std::move(id)), heap_mb_(heap_mb) {}
  RunRequest cell(std::string code, std::string rollback) const;

  cli::Client& client_;
  std::string id_;
  size_t heap_mb_;
};

}  // namespace capsule::bench

// Standard input for a run: how much may be sent (credit), and reading it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/limits.h"
#include "protocol/message.h"

namespace capsule::cli {

// The account: every byte sent is paid for with credit the manager gave. Pure. A manager that gives too much makes it
// saturate, not overflow.
class InputCredit {
 public:
  explicit InputCredit(uint64_t bytes = limits::kInputWindowBytes) : left_(bytes) {}

  void add(uint64_t bytes);
  void spend(uint64_t bytes);  // at most left(), asserted
  uint64_t left() const { return left_; }
  size_t next_chunk_bytes() const;  // what one `input` may carry now; 0: wait

 private:
  uint64_t left_;
};

// Turns a descriptor into `input` messages. Does not own the descriptor. A descriptor that cannot be read (closed, a
// directory) is at its end.
class InputPump {
 public:
  explicit InputPump(int fd) : fd_(fd) {}  // -1: nothing to send, not even an end

  void add_credit(uint64_t bytes) { credit_.add(bytes); }
  int fd() const { return fd_; }
  bool can_read() const { return fd_ >= 0 && credit_.next_chunk_bytes() > 0; }

  // One read; call when poll says there is something. Nothing when it was not so.
  std::optional<Input> read_chunk(const std::string& run_id);

 private:
  int fd_;
  InputCredit credit_;
};

}  // namespace capsule::cli

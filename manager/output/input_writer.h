// A run's standard input: what the client sends, written into the pipe as the program takes it. The client may have
// limits::kInputWindowBytes under way; credit for more comes back as the pipe accepts bytes.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "manager/async/loop.h"

namespace capsule {

class InputWriter {
 public:
  using Credit = std::function<void(uint64_t bytes)>;

  InputWriter(Loop& loop, UniqueFd write_end, Credit credit);

  // kTooLarge when the client exceeds its window; kConflict after end-of-file.
  Status push(std::string_view data);
  void finish();  // end-of-file once everything before it is written
  void close();

 private:
  void write_on();

  FdWatch watch_;
  Credit credit_;
  std::string pending_;
  bool finished_ = false;
  bool waiting_ = false;
};

}  // namespace capsule

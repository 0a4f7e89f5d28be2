#include "cli/input_pump.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <limits>

namespace capsule::cli {

void InputCredit::add(uint64_t bytes) {
  left_ = bytes > std::numeric_limits<uint64_t>::max() - left_ ? std::numeric_limits<uint64_t>::max() : left_ + bytes;
}

void InputCredit::spend(uint64_t bytes) {
  assert(bytes <= left_);
  left_ -= bytes;
}

size_t InputCredit::next_chunk_bytes() const {
  return static_cast<size_t>(std::min<uint64_t>(left_, limits::kInputChunkBytes));
}

std::optional<Input> InputPump::read_chunk(const std::string& run_id) {
  std::string data(credit_.next_chunk_bytes(), '\0');
  const ssize_t got = read(fd_, data.data(), data.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return std::nullopt;
  if (got <= 0) {
    fd_ = -1;
    return Input{.run_id = run_id, .data = {}, .eof = true};
  }
  data.resize(static_cast<size_t>(got));
  credit_.spend(data.size());
  return Input{.run_id = run_id, .data = {std::move(data)}, .eof = false};
}

}  // namespace capsule::cli

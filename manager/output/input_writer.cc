#include "manager/output/input_writer.h"

#include <unistd.h>

#include <cerrno>

#include "protocol/limits.h"

namespace capsule {

InputWriter::InputWriter(Loop& loop, UniqueFd write_end, Credit credit)
    : watch_(loop, std::move(write_end)), credit_(std::move(credit)) {}

Status InputWriter::push(std::string_view data) {
  if (finished_) return failure(Errc::kConflict, "input after its end");
  if (!watch_.is_open()) {  // the program closed its end: taken and thrown away, as a pipe to a dead reader
    if (!data.empty()) credit_(data.size());
    return {};
  }
  if (pending_.size() + data.size() > limits::kInputWindowBytes) {
    return failure(Errc::kTooLarge, "more input than the credit allows");
  }
  pending_.append(data);
  if (!waiting_) write_on();
  return {};
}

void InputWriter::finish() {
  finished_ = true;
  if (!waiting_) write_on();
}

void InputWriter::close() {
  pending_.clear();
  watch_.close();
}

void InputWriter::write_on() {
  waiting_ = false;
  uint64_t written = 0;
  while (!pending_.empty() && watch_.is_open()) {
    const ssize_t put = write(watch_.fd(), pending_.data(), pending_.size());
    if (put >= 0) {
      written += static_cast<uint64_t>(put);
      pending_.erase(0, static_cast<size_t>(put));
    } else if (errno == EAGAIN) {
      waiting_ = true;
      watch_.when_writable([this] { write_on(); });
      break;
    } else if (errno != EINTR) {
      written += pending_.size();
      close();
    }
  }
  if (written > 0) credit_(written);
  if (finished_ && pending_.empty()) watch_.close();
}

}  // namespace capsule

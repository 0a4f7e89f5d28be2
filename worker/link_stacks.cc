// What the link tells of Python's stacks: when the manager asks, and before a fault ends the process.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "protocol/codec.h"
#include "protocol/peek.h"
#include "worker/descriptor_reserve.h"
#include "worker/guarded_read.h"
#include "worker/link_thread.h"

namespace capsule {
namespace {

constexpr int kTries = 3;  // to read stacks that change meanwhile

// A memfd takes what faulthandler's code writes: a pipe would have to be read at the same time. A program that has
// opened all it may keeps its limit: the reserve is put back.
UniqueFd open_scratch() {
  UniqueFd file(memfd_create("stacks", MFD_CLOEXEC));
  if (file || errno != EMFILE) return file;
  const rlim_t soft = descriptor_reserve::open();
  file.reset(memfd_create("stacks", MFD_CLOEXEC));
  descriptor_reserve::close(soft);
  return file;
}

}  // namespace

size_t LinkThread::stack_frame(std::string_view run, std::span<char> text, std::span<char> frame,
                               Meanwhile meanwhile) const {
  ssize_t size = 0;
  const UniqueFd file = open_scratch();
  if (file && dump_stacks_ != nullptr) {
    if (meanwhile == Meanwhile::kProgramStands) {
      dump_stacks_(file.get());
    } else {
      for (int tries = 1; read_guarded(dump_stacks_, file.get()) == ReadOutcome::kCutShort && tries < kTries; ++tries) {
        if (lseek(file.get(), 0, SEEK_SET) != 0 || ftruncate(file.get(), 0) != 0) break;
      }
    }
    size = std::max<ssize_t>(0, pread(file.get(), text.data(), text.size(), 0));
  }
  return encode_stack_frame(run, {text.data(), static_cast<size_t>(size)}, frame);
}

void LinkThread::handle_stack(std::string_view payload) {
  static std::array<char, limits::kStackBytes> text;
  const std::string_view run = peek::text(payload, "run_id").value_or(std::string_view{}).substr(0, limits::kIdBytes);
  const std::span<char> frame(stack_frame_.memory, kStackFrameBytes);
  (void)send_frame({frame.data(), stack_frame(run, text, frame, Meanwhile::kProgramRuns)});
}

// A lock that this very thread holds is one that cannot be had, as any other.
void LinkThread::tell_crash() {
  static std::array<char, limits::kStackBytes> text;
  static std::array<char, kStackFrameBytes> frame;
  if (!busy_.load() || process_.load() != getpid()) return;
  const std::unique_lock lock(send_mutex_, std::try_to_lock);
  if (!lock) return;
  const size_t size = stack_frame({}, text, frame, Meanwhile::kProgramStands);
  for (size_t sent = 0; sent < size;) {
    const ssize_t put = send(link_.get(), frame.data() + sent, size - sent, MSG_NOSIGNAL);
    if (put < 0 && errno != EINTR) return;
    sent += static_cast<size_t>(std::max<ssize_t>(put, 0));
  }
}

}  // namespace capsule

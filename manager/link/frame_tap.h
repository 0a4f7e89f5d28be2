// Who watches the frames between the manager and a session's worker, live. They learn what each frame is and never what
// is in it. Owned by the session and, while somebody watches, by the channel of its worker: without a watcher a frame
// costs one test of a pointer.
//
// Bounds: kListeners at once; of one who is slow, frames beyond kUnreadBytes of what it has not taken are left out,
// which it sees by a gap in `seq`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "manager/observe/labels.h"
#include "manager/schedule/run.h"
#include "protocol/message.h"

namespace capsule {

class FrameTap {
 public:
  static constexpr size_t kListeners = 8;
  static constexpr size_t kUnreadBytes = 256u << 10;

  struct Listener {
    ClientKey client = 0;
    uint64_t request = 0;  // its `tap`
    std::weak_ptr<RunClient> to;
    uint64_t seq = 0;
  };

  explicit FrameTap(std::string session)
      : session_(std::move(session)), begun_at_(now()), begun_wall_us_(wall_clock_ms() * 1000) {}

  Status add(Listener listener);  // again from the same client: it goes on with a new seq
  void remove(ClientKey client);
  bool is_empty() const { return listeners_.empty(); }
  void set_session(std::string id) { session_ = std::move(id); }

  void received(const Message& message, size_t frame_bytes);
  void sent(std::string_view payload, size_t frame_bytes);
  void end(const Error& why);  // nothing more will come

 private:
  void tell(Tapped frame);

  std::string session_;
  TimePoint begun_at_;  // with the wall clock then: times that never go back
  int64_t begun_wall_us_;
  std::vector<Listener> listeners_;
};

}  // namespace capsule

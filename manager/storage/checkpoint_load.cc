#include <unistd.h>

#include <cerrno>
#include <optional>

#include "manager/storage/checkpoint_transfer.h"

namespace capsule {

struct CheckpointLoad::State : std::enable_shared_from_this<State> {
  State(Loop& loop, StorageThread& storage_in, UniqueFd pipe) : storage(storage_in), watch(loop, std::move(pipe)) {}

  void start(CheckpointStore::Opened opened) {
    auto shared = std::make_shared<CheckpointStore::Opened>(std::move(opened));
    submit([shared, payload = payload]() -> Result<std::string> {
      auto made = CheckpointPayload::open(std::move(shared->file), std::move(shared->info));
      if (!made) return tl::unexpected<Error>(made.error());
      payload->emplace(std::move(*made));
      return (*payload)->next();
    });
  }

  void ask() {
    submit([payload = payload] { return (*payload)->next(); });
  }

  template <class Work>
  void submit(Work work) {
    auto accepted = storage.submit(
        std::move(work), [self = shared_from_this()](Result<std::string> slice) { self->take(std::move(slice)); });
    if (!accepted) answer(tl::unexpected<Error>(accepted.error()));
  }

  void take(Result<std::string> slice) {
    if (!done) return;
    if (!slice) return answer(tl::unexpected<Error>(slice.error()));
    if (slice->empty()) return answer((*payload)->info());
    unsent = std::move(*slice);
    sent = 0;
    send();
  }

  void send() {
    while (done && sent < unsent.size()) {
      const ssize_t put = write(watch.fd(), unsent.data() + sent, unsent.size() - sent);
      if (put > 0) {
        sent += static_cast<size_t>(put);
        bytes_written += static_cast<uint64_t>(put);
      } else if (put < 0 && errno == EAGAIN) {
        return watch.when_writable([self = shared_from_this()] { self->send(); });
      } else if (put < 0 && errno != EINTR) {
        return answer(failure(Errc::kClosed, "the worker that restores the checkpoint is gone"));
      }
    }
    if (done) ask();
  }

  void answer(Result<CheckpointInfo> result) {
    watch.close();
    if (!done) return;
    const Done callback = std::move(done);
    done = nullptr;
    callback(std::move(result));
  }

  StorageThread& storage;
  FdWatch watch;
  std::shared_ptr<std::optional<CheckpointPayload>> payload = std::make_shared<std::optional<CheckpointPayload>>();
  std::string unsent;
  size_t sent = 0;
  uint64_t bytes_written = 0;
  Done done;  // empty: answered, or nobody waits for it
};

CheckpointLoad::CheckpointLoad(Loop& loop, StorageThread& storage, CheckpointStore::Opened opened, UniqueFd pipe,
                               Done done)
    : state_(std::make_shared<State>(loop, storage, std::move(pipe))) {
  state_->done = std::move(done);
  auto shared = std::make_shared<CheckpointStore::Opened>(std::move(opened));
  loop.post([state = state_, shared] {
    if (state->done) state->start(std::move(*shared));
  });
}

CheckpointLoad::~CheckpointLoad() {
  state_->done = nullptr;
  state_->watch.close();
}

uint64_t CheckpointLoad::bytes_written() const { return state_->bytes_written; }

}  // namespace capsule

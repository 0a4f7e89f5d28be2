#include <unistd.h>

#include <cerrno>
#include <optional>

#include "manager/storage/checkpoint_stream.h"
#include "manager/storage/checkpoint_transfer.h"

namespace capsule {
namespace {

constexpr size_t kSlicesInFlight = 4;  // read and not yet written: 1 MiB of a transfer

// The disk's side: belongs to the storage thread.
struct Disk {
  SharedStore store;
  CheckpointTarget target;
  CheckpointSave::Compose compose;
  CheckpointStream stream;
  std::unique_ptr<CheckpointDraft> draft;
  std::optional<CheckpointWriter> writer;

  Status begin() {
    auto begun = store->begin(target.uid, target.name, target.if_there);
    if (!begun) return tl::unexpected<Error>(begun.error());
    draft = std::move(begun->draft);
    auto made = CheckpointWriter::create(std::move(begun->file), target.python, begun->bytes_max);
    if (!made) return tl::unexpected<Error>(made.error());
    writer.emplace(std::move(*made));
    return {};
  }

  Status take(std::string_view slice) {
    if (!writer) return failure(Errc::kClosed, "the checkpoint was refused");  // sent before that was known
    return stream.take(slice, [this](std::string_view payload) { return writer->append(payload); });
  }

  Result<CheckpointEntry> finish() {
    if (!stream.is_complete()) {
      return failure(Errc::kClosed, "the process that saved the namespace ended before it was done");
    }
    if (auto written = writer->finish(compose(stream.metadata())); !written) {
      return tl::unexpected<Error>(written.error());
    }
    return store->commit(std::move(draft));
  }
};

}  // namespace

struct CheckpointSave::State : std::enable_shared_from_this<State> {
  State(Loop& loop, StorageThread& storage_in, UniqueFd pipe) : storage(storage_in), watch(loop, std::move(pipe)) {}

  void start() {
    pending = 1;
    submit([disk = disk] { return disk->begin(); });
    if (!failed) watch.on_readable([self = shared_from_this()] { self->read_some(); });
  }

  void read_some() {
    std::string slice(kStorageSliceBytes, '\0');
    const ssize_t got = read(watch.fd(), slice.data(), slice.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      at_end = true;
      watch.close();
      return finish_when_written();
    }
    slice.resize(static_cast<size_t>(got));
    bytes_read += slice.size();
    if (++pending > kSlicesInFlight) watch.pause_reading();
    submit([disk = disk, slice = std::move(slice)]() -> Status { return disk->take(slice); });
  }

  template <class Work>
  void submit(Work work) {
    auto accepted =
        storage.submit(std::move(work), [self = shared_from_this()](Status status) { self->written(status); });
    if (!accepted) written(accepted);
  }

  void written(const Status& status) {
    --pending;
    if (failed || !done) return;
    if (!status) return fail(status.error());
    // The last frame says that the payload is whole: whoever else may hold the pipe need not end for it.
    if (!at_end && pending == 0 && disk->stream.is_complete()) {
      at_end = true;
      watch.close();
    }
    if (!at_end) watch.resume_reading();
    finish_when_written();
  }

  void finish_when_written() {
    if (!at_end || pending != 0 || failed || finishing || !done) return;
    finishing = true;
    auto accepted = storage.submit([disk = disk] { return disk->finish(); },
                                   [self = shared_from_this()](Result<CheckpointEntry> entry) {
                                     self->answer({std::move(entry), self->disk->stream.name_at_work()});
                                   });
    if (!accepted) fail(accepted.error());
  }

  void fail(const Error& error) {
    failed = true;
    watch.close();
    answer({tl::unexpected<Error>(error), pending == 0 ? disk->stream.name_at_work() : std::string()});
  }

  void answer(Outcome outcome) {
    if (!done) return;
    const Done callback = std::move(done);
    done = nullptr;
    callback(std::move(outcome));
  }

  StorageThread& storage;
  FdWatch watch;
  std::shared_ptr<Disk> disk = std::make_shared<Disk>();
  Done done;  // empty: answered, or nobody waits for it
  uint64_t bytes_read = 0;
  size_t pending = 0;  // jobs of this transfer; `disk` may be looked at when there are none
  bool at_end = false, failed = false, finishing = false;
};

CheckpointSave::CheckpointSave(Loop& loop, StorageThread& storage, SharedStore store, CheckpointTarget target,
                               UniqueFd pipe, Compose compose, Done done)
    : state_(std::make_shared<State>(loop, storage, std::move(pipe))) {
  state_->disk->store = std::move(store);
  state_->disk->target = std::move(target);
  state_->disk->compose = std::move(compose);
  state_->done = std::move(done);
  // From the loop: the callback must not be called before whoever makes this has it in hand.
  loop.post([state = state_] {
    if (state->done) state->start();
  });
}

CheckpointSave::~CheckpointSave() {
  state_->done = nullptr;
  state_->failed = true;
  state_->watch.close();
}

uint64_t CheckpointSave::bytes_read() const { return state_->bytes_read; }
bool CheckpointSave::is_writing() const { return state_->pending > 0; }

}  // namespace capsule

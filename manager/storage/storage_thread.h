// The one thread for work that waits for a disk. Jobs run in the order they were given; what they answer is handed back
// on the loop. A job moves one slice (kStorageSliceBytes or a few), so that several transfers take turns.
//
// Made, used and destroyed on the loop's thread. What a job touches belongs to the storage thread from submit() until
// the answer is back.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/result.h"
#include "manager/async/loop.h"

namespace capsule {

class StorageThread {
 public:
  static constexpr size_t kQueuedJobs = 256;

  explicit StorageThread(Loop& loop, size_t queued_max = kQueuedJobs);
  // Runs what is queued to its end. Answers that the loop no longer gets to are dropped.
  ~StorageThread();
  StorageThread(const StorageThread&) = delete;
  StorageThread& operator=(const StorageThread&) = delete;

  // `work` runs there, `done` gets what it returned here. kUnavailable: the queue is full, neither will be called.
  template <class Work, class Done>
  Status submit(Work work, Done done) {
    using Answer = std::invoke_result_t<Work&>;
    auto shared = std::make_shared<std::pair<Work, Done>>(std::move(work), std::move(done));
    return queue([shared]() -> std::function<void()> {
      auto answer = std::make_shared<Answer>(shared->first());
      return [shared, answer] { shared->second(std::move(*answer)); };
    });
  }

  size_t queued() const;

 private:
  using Job = std::function<std::function<void()>()>;
  Status queue(Job job);
  void run();

  Loop& loop_;
  const size_t queued_max_;
  mutable std::mutex mutex_;  // guards the queue and stopping_
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace capsule

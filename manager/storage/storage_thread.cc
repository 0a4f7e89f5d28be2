#include "manager/storage/storage_thread.h"

#include <pthread.h>

#include <csignal>

namespace capsule {

StorageThread::StorageThread(Loop& loop, size_t queued_max) : loop_(loop), queued_max_(queued_max) {
  // Signals are the loop's. SIGXFSZ too: a write beyond RLIMIT_FSIZE then answers EFBIG.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

StorageThread::~StorageThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

size_t StorageThread::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

Status StorageThread::queue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= queued_max_) {
      return failure(Errc::kUnavailable,
                     "the storage thread has " + std::to_string(queued_max_) + " jobs to do: try again later");
    }
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
  return {};
}

void StorageThread::run() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    auto answer = job();
    job = nullptr;  // before the answer: what it holds is the loop's again
    loop_.post(std::move(answer));
  }
}

}  // namespace capsule

#include "manager/observe/trace_exporter.h"

#include <signal.h>

#include <algorithm>
#include <iterator>

#include "manager/observe/log.h"

namespace capsule {
namespace {
constexpr size_t kMessageBytes = 200;  // of what a collector says, in the log
}  // namespace

Status TraceExporter::open(TraceExportOptions options, SpanSource source) {
  options_ = std::move(options);
  source_ = std::move(source);
  if (options_.endpoint) sender_ = std::make_unique<OtlpSender>(*options_.endpoint);
  Status has_place;
  if (!options_.directory.empty() && options_.file.file_bytes > 0) {
    auto file = SpanFile::open(options_.directory, options_.file);
    if (!file) has_place = tl::unexpected<Error>(file.error());
    if (file) directory_ = file->directory(), file_ = std::move(*file);
  }
  if (sender_ || file_) thread_ = std::thread([this] { run(); });
  return has_place;
}

void TraceExporter::set_python(const std::string& version) {
  const std::lock_guard lock(mutex_);
  source_.python = version;
}

void TraceExporter::count(uint64_t Totals::*which, uint64_t number) {
  const std::lock_guard lock(mutex_);
  totals_.*which += number;
}

void TraceExporter::export_run(RunSpans run) {
  if (!is_on()) return;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kQueuedRuns) return void(totals_.lost += count_spans(run));
    is_first = queue_.empty();
    queue_.push_back(std::move(run));
  }
  if (is_first) changed_.notify_one();  // else it is waiting for more to come
}

void TraceExporter::export_request(HttpSpan request) {
  if (!is_on()) return;
  const std::lock_guard lock(mutex_);
  if (requests_.size() >= kQueuedRuns) return void(++totals_.lost);
  requests_.push_back(std::move(request));
  changed_.notify_one();
}

TraceExporter::Totals TraceExporter::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

void TraceExporter::run() {
  sigset_t all;  // signals are the loop's
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (true) {
    const auto has_work = [this] { return !queue_.empty() || !requests_.empty(); };
    const auto is_wanted = [&] { return stopping_ || has_work(); };
    bodies_.empty() ? changed_.wait(lock, is_wanted) : void(changed_.wait_until(lock, next_try_, is_wanted));
    if (has_work()) changed_.wait_for(lock, kGatherTime, [this] { return stopping_; });
    const bool is_last = stopping_;
    while (has_work()) {
      const SpanBatch batch = next_batch();
      const SpanSource source = source_;
      lock.unlock();
      work_off(batch, source);
      lock.lock();
    }
    lock.unlock();
    const TimePoint at = now();
    if (is_last || next_try_ <= at) send_waiting(is_last ? at + kLastTime : TimePoint::max());
    if (is_last) give_up();
    lock.lock();
    if (is_last) break;
  }
  has_ended_ = true;
  ended_.notify_all();
}

SpanBatch TraceExporter::next_batch() {
  SpanBatch batch;
  const auto take = [](auto& from, auto& to) {
    const size_t number = std::min(from.size(), kBatchRuns);
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(number);
    to.assign(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
    from.erase(from.begin(), end);
  };
  take(queue_, batch.runs);
  take(requests_, batch.requests);
  return batch;
}

void TraceExporter::work_off(const SpanBatch& batch, const SpanSource& source) {
  Body body{otlp_json(source, batch, ids_), count_spans(batch)};
  if (file_) {
    const Status written = file_->append(body.json);
    count(written ? &Totals::recorded : &Totals::lost, body.spans);
    tell(written, "spans cannot be written to traces.jsonl");
  }
  if (sender_) keep(std::move(body));
}

void TraceExporter::keep(Body body) {
  if (body_bytes_ + body.json.size() > options_.waiting_bytes) {
    tell(failure(Errc::kUnavailable, "too many wait for the collector"), "spans are lost");
    return count(&Totals::lost, body.spans);
  }
  body_bytes_ += body.json.size();
  body_spans_ += body.spans;
  bodies_.push_back(std::move(body));
  publish_waiting();
}

void TraceExporter::drop_first() {
  body_bytes_ -= bodies_.front().json.size();
  body_spans_ -= bodies_.front().spans;
  bodies_.pop_front();
  publish_waiting();
}

void TraceExporter::publish_waiting() {
  const std::lock_guard lock(mutex_);
  totals_.waiting = body_spans_;
}

void TraceExporter::send_waiting(TimePoint until) {
  while (!bodies_.empty() && now() < until && send(bodies_.front(), until)) drop_first();
}

bool TraceExporter::send(const Body& body, TimePoint until) {
  const TimePoint at = now();
  const auto reply = sender_->post(body.json, std::min<Duration>(options_.timeout, until - at));
  const ExportOutcome outcome = judge_export(reply ? reply->status : 0);
  if (outcome == ExportOutcome::kTaken) {
    retry_.succeeded();
    took(body, read_otlp_answer(reply->body));
    return true;
  }
  count(&Totals::failures, 1);
  const std::string why = reply ? "status " + std::to_string(reply->status) : reply.error().message;
  tell(failure(Errc::kUnavailable, why), "spans cannot be sent to the collector");
  if (outcome == ExportOutcome::kRefused) {
    count(&Totals::refused, body.spans);
    return true;
  }
  const double jitter = std::uniform_real_distribution<>(0.0, 1.0)(random_);
  next_try_ = now() + retry_.failed(jitter, reply ? reply->retry_after : std::nullopt);
  return false;
}

// What it rejected of a request that it took is not to be sent again.
void TraceExporter::took(const Body& body, const OtlpVerdict& verdict) {
  const uint64_t rejected = std::min<uint64_t>(verdict.rejected_spans, body.spans);
  count(&Totals::exported, body.spans - rejected);
  count(&Totals::refused, rejected);
  if (rejected == 0 && verdict.message.empty()) return;
  const std::string why = std::to_string(rejected) + " rejected: " + verdict.message.substr(0, kMessageBytes);
  tell(failure(Errc::kRefused, why), "the collector did not take all spans");
}

void TraceExporter::give_up() {
  count(&Totals::lost, body_spans_);
  while (!bodies_.empty()) drop_first();
}

void TraceExporter::tell(const Status& done, const char* what) {
  if (!done) log_warning_seldom(what, {{"why", done.error().message}});
}

void TraceExporter::close() {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
    if (!ended_.wait_for(lock, 2 * kLastTime, [this] { return has_ended_; }) && sender_) sender_->interrupt();
  }
  thread_.join();
  const Totals last = totals();
  if (last.lost > 0) log_warning("spans were lost", {{"spans", std::to_string(last.lost)}});
}

}  // namespace capsule

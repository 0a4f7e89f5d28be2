#include "manager/pool/worker.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "manager/observe/log.h"

namespace capsule {
namespace {
constexpr seconds kHealthPatience{5};
}

Worker::Worker(Loop& loop, Start start, const WorkerConfig& config, Metrics& metrics)
    : metrics_(metrics),
      id_(start.id),
      name_(std::move(start.name)),
      profile_(std::move(start.profile)),
      channel_(std::make_shared<FrameChannel>(loop, std::move(start.link), PassedFds::kRefused, label::Socket::kWorker,
                                              metrics)),
      pidfd_(std::move(start.pidfd)),
      pid_(pid_of(pidfd_.get())),
      pid_in_capsule_(start.pid_in_capsule),
      proc_(pid_),
      started_at_(now()),
      inherited_layers_(std::move(start.layers)),
      watch_(config, started_at_),
      watch_timer_(loop),
      health_timer_(loop) {}

void Worker::begin() {
  FrameChannel::Handlers handlers;
  handlers.on_message = [self = weak_from_this()](Message message, size_t) {
    if (const auto worker = self.lock()) worker->handle(std::move(message));
  };
  handlers.on_end = [self = weak_from_this()](const Error& error) {
    const auto worker = self.lock();
    if (!worker || worker->holder_ == nullptr) return;
    if (error.code == Errc::kInvalid || error.code == Errc::kTooLarge) {
      log_about(worker->works_for(), LogLevel::kWarning, "worker broke the protocol",
                {{"worker", worker->name_}, {"error", error.message}});
      return worker->holder_->worker_lost(LostWhy::kProtocol);
    }
    worker->holder_->worker_link_closed();
  };
  channel_->start(std::move(handlers));
  watch_heartbeat();
}

bool Worker::is_alive() const {
  pollfd end{pidfd_.get(), POLLIN, 0};  // pidfd_open(2): readable once the process has ended
  return poll(&end, 1, 0) == 0;
}

bool Worker::apply(WorkerEvent event) {
  const auto next = transition(state_, event);
  if (next) state_ = *next;
  return next.has_value();
}

void Worker::handle(Message message) {
  if (const auto* beat = std::get_if<Heartbeat>(&message)) {
    metrics_.heartbeat();
    watch_.beat(now());
    last_beat_ = *beat;
    return;
  }
  if (const auto* metric = std::get_if<Metric>(&message)) return take_metric(*metric);
  if (const auto* ack = std::get_if<Ack>(&message); ack != nullptr && health_done_) {
    if (ack->re != last_ping_) return;
    health_timer_.cancel();
    const auto done = std::exchange(health_done_, nullptr);
    return done(ack->detail == "healthy" ? label::HealthOutcome::kOk : label::HealthOutcome::kFailed);
  }
  if (const auto* hello = std::get_if<Hello>(&message)) {
    if (std::exchange(said_hello_, true)) {  // user code forges one: the first is from before it ran
      if (holder_ != nullptr) holder_->worker_lost(LostWhy::kProtocol);
      return;
    }
    hello_ = *hello;
    if (!inherited_layers_.empty()) hello_.layers = inherited_layers_;
  }
  if (const auto* stack = std::get_if<Stack>(&message); stack != nullptr && !stack->run_id.empty()) {
    if (stacks_asked_ == 0) {  // nobody did: a program made it up
      if (holder_ != nullptr) holder_->worker_lost(LostWhy::kProtocol);
      return;
    }
    --stacks_asked_;
  }
  // What a snapshot was asked before it was woken and became this worker: it answers first, to nobody.
  const bool is_from_before = std::holds_alternative<Report>(message) || std::holds_alternative<Branched>(message);
  if (!said_hello_ && is_from_before) return;
  if (holder_ != nullptr) holder_->worker_said(std::move(message));
}

void Worker::take_metric(const Metric& metric) {
  switch (figure_rate_.rule(now())) {
    case FigureRate::Ruling::kTake: return metrics_.user_metric(metric);
    case FigureRate::Ruling::kDrop: return metrics_.user_metric_dropped(label::UserMetricDrop::kRate);
    case FigureRate::Ruling::kGiveUp: break;
  }
  metrics_.user_metric_dropped(label::UserMetricDrop::kRate);
  const LogIds whom = works_for();
  log_warning_seldom("worker broke the protocol", {{"request_id", whom.request_id},
                                                   {"session", whom.session},
                                                   {"run_id", whom.run_id},
                                                   {"worker", name_},
                                                   {"error", "too many figures in a second"}});
  if (holder_ != nullptr) holder_->worker_lost(LostWhy::kProtocol);
}

void Worker::watch_heartbeat() {
  watch_timer_.at(watch_.next_check(now()), [self = weak_from_this()] {
    const auto worker = self.lock();
    if (!worker) return;
    const uint64_t suspected_before = worker->watch_.suspected();
    const WorkerHealth health = worker->watch_.check(now());
    if (worker->watch_.suspected() != suspected_before) {
      worker->metrics_.heartbeat_suspect();
      log_about(worker->works_for(), LogLevel::kWarning, "worker misses heartbeats",
                {{"worker", worker->name_}, {"profile", worker->profile_}});
    }
    if (health == WorkerHealth::kLost) {
      worker->metrics_.heartbeat_lost();
      if (worker->holder_ != nullptr) worker->holder_->worker_lost(LostWhy::kHeartbeat);
      return;
    }
    worker->watch_heartbeat();
  });
}

void Worker::kill() {
  if (pidfd_) send_kill(pidfd_.get());
}

void Worker::check_health(HealthChecked done) {
  health_done_ = std::move(done);
  send(Ping{++last_ping_, true});
  health_timer_.after(kHealthPatience, [self = weak_from_this()] {
    const auto worker = self.lock();
    if (!worker || !worker->health_done_) return;
    const auto late = std::exchange(worker->health_done_, nullptr);
    late(label::HealthOutcome::kTimedOut);
  });
}

void Worker::mark() {
  if (const auto current = stats()) marked_ = *current;
}

// Its last words first: they came before its death, on another socket.
void Worker::reaped(const Exited& report) {
  const auto self = shared_from_this();
  channel_->read_now();
  apply(WorkerEvent::kDied);
  watch_timer_.cancel();
  if (holder_ != nullptr) holder_->worker_died(report);
}

void Worker::capsule_gone() {
  const bool was_alive = state_ != WorkerState::kGone;
  apply(WorkerEvent::kDied);
  watch_timer_.cancel();
  if (was_alive && holder_ != nullptr) holder_->worker_lost(LostWhy::kCapsule);
}

}  // namespace capsule

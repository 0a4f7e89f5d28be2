#include "manager/pool/parked_copy.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cassert>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/json_shape.h"
#include "manager/pool/proc_stats.h"

namespace capsule {

ParkedCopy::ParkedCopy(Loop& loop, Start start, Metrics& metrics)
    : channel_(std::make_shared<FrameChannel>(loop, std::move(start.link), PassedFds::kRefused, label::Socket::kWorker,
                                              metrics)),
      pidfd_(std::move(start.pidfd)),
      pid_(pid_of(pidfd_.get())),
      pid_in_capsule_(start.pid_in_capsule),
      not_captured_(std::move(start.not_captured)),
      made_at_(now()) {
  FrameChannel::Handlers handlers;
  handlers.on_message = [this](const Message& message, size_t) { handle(message); };
  handlers.on_end = [this](const Error& error) { fail(error); };
  channel_->start(std::move(handlers));
}

ParkedCopy::~ParkedCopy() {
  fail({Errc::kClosed, "the snapshot was dropped"});
  channel_->close();
  if (pidfd_) send_kill(pidfd_.get());
}

void ParkedCopy::copy(const std::string& name, UniqueFd link, Copied done) {
  Branch branch;
  branch.id = ++last_request_;
  branch.name = name;
  copying_[branch.id] = std::move(done);
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(link));
  channel_->send(branch, std::move(fds));
  if (!channel_->is_open()) fail({Errc::kClosed, "the snapshot is gone"});
}

void ParkedCopy::measure(Measured done) {
  const uint64_t request = ++last_request_;
  measuring_[request] = std::move(done);
  channel_->send(Ping{request, false});
  if (!channel_->is_open()) fail({Errc::kClosed, "the snapshot is gone"});
}

void ParkedCopy::serialise(Checkpoint request, UniqueFd pipe) {
  request.id = ++last_request_;
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(pipe));
  channel_->send(request, std::move(fds));
}

namespace {

// Its own words, so whatever they are: a number, or nothing.
std::optional<ParkedCopy::Memory> parse_memory(const std::string& json) {
  const auto document = parse_bounded<nlohmann::json>(json, kJsonValues);
  if (!document.is_object()) return std::nullopt;
  const auto number = [&](const char* name) -> uint64_t {
    const auto found = document.find(name);
    return found != document.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
  };
  return ParkedCopy::Memory{number("private_bytes"), number("shared_bytes")};
}

}  // namespace

std::pair<UniqueFd, UniqueFd> ParkedCopy::take() {
  assert(is_reachable());
  fail({Errc::kClosed, "the snapshot was woken"});
  return {channel_->release(), std::move(pidfd_)};
}

// Whatever it says is about itself.
void ParkedCopy::handle(const Message& message) {
  if (std::holds_alternative<Hello>(message) && parked_) return std::exchange(parked_, nullptr)();
  if (const auto* report = std::get_if<Report>(&message)) {
    const auto found = measuring_.extract(report->re);
    if (!found.empty()) found.mapped()(parse_memory(report->json.value));
    return;
  }
  const auto* branched = std::get_if<Branched>(&message);
  if (branched == nullptr) return;
  const auto found = copying_.extract(branched->re);
  if (found.empty()) return;
  if (!branched->failure.empty()) return found.mapped()(failure(Errc::kUnavailable, branched->failure));
  found.mapped()(*branched);
}

// Whoever hears of it may destroy this object.
void ParkedCopy::fail(const Error& error) {
  const auto copying = std::exchange(copying_, {});
  const auto measuring = std::exchange(measuring_, {});
  for (const auto& [id, done] : copying) done(tl::unexpected<Error>(error));
  for (const auto& [id, done] : measuring) done(std::nullopt);
}

}  // namespace capsule

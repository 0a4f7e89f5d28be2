#include "manager/sessions/fork_standby.h"

#include "manager/observe/log.h"

namespace capsule {

void ForkStandby::forked(const std::shared_ptr<Session>& original, RollbackMode mode, Duration keep) {
  if (keep == Duration::zero()) return;
  const auto found = entries_.find(original.get());
  if (found == entries_.end() && entries_.size() >= kMost) return;
  EntryPtr entry = found != entries_.end() ? found->second : std::make_shared<Entry>(loop_);
  entries_[original.get()] = entry;
  entry->original = original;
  entry->until = now() + keep;
  if (entry->mode != mode) drop_session(*entry);
  entry->mode = mode;
  entry->timer.after(kRest, [this, entry] { look(entry); });
}

void ForkStandby::look(const EntryPtr& entry) {
  const auto original = entry->original.lock();
  if (!original || original->state() == SessionState::kClosed || now() >= entry->until) return forget(*entry);
  if (entry->session && !is_of_use(*entry)) drop_session(*entry);
  const bool has_one = entry->session || entry->is_making;
  if (!has_one && original->is_free()) make_one(entry, original);
  entry->timer.after(has_one ? kLook : kRest, [this, entry] { look(entry); });
}

bool ForkStandby::is_of_use(const Entry& entry) const {
  const auto original = entry.original.lock();
  return original && entry.of_state == original->state_number();
}

bool ForkStandby::can_be_taken(const Entry& entry) const {
  return entry.session && entry.is_ready && entry.session->state() == SessionState::kReady && is_of_use(entry);
}

void ForkStandby::make_one(const EntryPtr& entry, const std::shared_ptr<Session>& original) {
  entry->is_making = true;
  entry->of_state = original->state_number();
  original->fork(1, Pool::Nest::kStandby,
                 [this, entry, original = std::weak_ptr(original)](Result<std::vector<ForkedCopy>> copies) {
                   entry->is_making = false;
                   const auto still = original.lock();
                   if (!copies) {  // it will not go better the next time
                     log_debug("no fork is made in advance", {{"why", copies.error().message}});
                     return forget(*entry);
                   }
                   const auto found = still ? entries_.find(still.get()) : entries_.end();
                   if (found != entries_.end() && found->second == entry) {
                     return begin(entry, still, std::move(copies->front()));
                   }
                   if (still) still->give_back(std::move(copies->front()));
                 });
}

void ForkStandby::begin(const EntryPtr& entry, const std::shared_ptr<Session>& original, ForkedCopy copy) {
  entry->not_captured = copy.capsule->hello().not_captured;
  const auto& of_memory = copy.copy->not_captured();
  entry->not_captured.insert(entry->not_captured.end(), of_memory.begin(), of_memory.end());
  entry->session = make_(*original, std::move(copy), entry->mode);
  entry->is_ready = false;
  Session::Events events;
  events.on_ready = [entry] { entry->is_ready = true; };
  const auto give_up = [this, entry, made = std::weak_ptr(entry->session)] {
    entry->is_ready = false;
    loop_.post([this, entry, made] {  // it is in the middle of something
      if (entry->session && entry->session == made.lock()) drop_session(*entry);
    });
  };
  // Broken is also one that takes a snapshot. What has lost its worker would come back, as a fresh namespace.
  events.on_broken = [made = std::weak_ptr(entry->session), give_up] {
    const auto session = made.lock();
    if (session && session->state() != SessionState::kReady) give_up();
  };
  events.on_failed = [give_up](const Error&) { give_up(); };
  entry->session->begin(std::move(events));
}

void ForkStandby::take(const std::shared_ptr<Session>& original, RollbackMode mode, Taken taken) {
  const auto found = entries_.find(original.get());
  if (found == entries_.end()) return taken(std::nullopt);
  const EntryPtr entry = found->second;
  if (!can_be_taken(*entry) || entry->mode != mode) return taken(std::nullopt);
  const auto session = entry->session;
  session->lease().capsule->ask_whether_files_are_current([this, entry, session, taken](bool current) {
    if (entry->session != session) return taken(std::nullopt);
    if (!current || !can_be_taken(*entry)) {
      drop_session(*entry);
      return taken(std::nullopt);
    }
    entry->is_ready = false;
    Fork fork{std::exchange(entry->session, nullptr), std::move(entry->not_captured)};
    fork.session->set_events(events_(fork.session));
    taken(std::move(fork));
  });
}

void ForkStandby::drop_session(Entry& entry) {
  entry.is_ready = false;
  if (const auto session = std::exchange(entry.session, nullptr)) session->close();
}

void ForkStandby::forget(const Entry& entry) {
  for (auto found = entries_.begin(); found != entries_.end(); ++found) {
    if (found->second.get() != &entry) continue;
    const EntryPtr kept = found->second;
    entries_.erase(found);
    kept->timer.cancel();
    return drop_session(*kept);
  }
}

void ForkStandby::drop(const Session& original) {
  const auto found = entries_.find(&original);
  if (found != entries_.end()) forget(*found->second);
}

bool ForkStandby::has(const Session& original) const {
  const auto found = entries_.find(&original);
  return found != entries_.end() && can_be_taken(*found->second);
}

}  // namespace capsule

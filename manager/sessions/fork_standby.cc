#include "manager/sessions/fork_standby.h"

#include <algorithm>

#include "manager/observe/log.h"

namespace capsule {
namespace {

bool has_processes(const std::vector<std::string>& not_captured) {
  return std::any_of(not_captured.begin(), not_captured.end(),
                     [](const std::string& one) { return one.rfind("process ", 0) == 0; });
}

}  // namespace

void ForkStandby::prepare(const std::shared_ptr<Session>& original, RollbackMode mode, Duration keep) {
  if (keep == Duration::zero()) return;
  const auto found = entries_.find(original.get());
  const auto in_use = std::count_if(entries_.begin(), entries_.end(),
                                    [](const auto& one) { return one.second->outdated < kOutdatedMax; });
  if (found == entries_.end() && static_cast<size_t>(in_use) >= kMost) return;
  EntryPtr entry = found != entries_.end() ? found->second : std::make_shared<Entry>(loop_);
  entries_[original.get()] = entry;
  entry->original = original;
  entry->pool = &original->pool();
  entry->until = now() + keep;
  if (entry->mode != mode) drop_session(*entry);
  entry->mode = mode;
  if (entry->outdated >= kOutdatedMax) return drop_capsule(*entry);
  entry->timer.after(kRest, [this, entry] { look(entry); });
}

void ForkStandby::look(const EntryPtr& entry) {
  const auto original = entry->original.lock();
  if (!original || original->state() == SessionState::kClosed || now() >= entry->until) return forget(*entry);
  if (entry->outdated >= kOutdatedMax) return drop_capsule(*entry);
  if (entry->session && !is_of_use(*entry)) drop_session(*entry);
  const bool has_one = entry->session || entry->is_making;
  const bool has_capsule = entry->is_nesting || (entry->capsule && !entry->capsule->is_gone());
  if (!has_one && original->is_free()) make_one(entry, original);
  if (!has_capsule && original->state() == SessionState::kReady) make_capsule(entry, original);
  entry->timer.after(has_one && has_capsule ? kLook : kRest, [this, entry] { look(entry); });
}

bool ForkStandby::is_current(const EntryPtr& entry, const std::shared_ptr<Session>& original) const {
  const auto found = original ? entries_.find(original.get()) : entries_.end();
  return found != entries_.end() && found->second == entry;
}

void ForkStandby::make_capsule(const EntryPtr& entry, const std::shared_ptr<Session>& original) {
  drop_capsule(*entry);
  entry->is_nesting = true;
  original->nest_in_advance([this, entry](Result<std::shared_ptr<CapsuleProcess>> made) {
    entry->is_nesting = false;
    if (!made) return forget(*entry);  // it will not go better the next time
    entry->capsule = std::move(*made);
    if (!is_current(entry, entry->original.lock())) drop_capsule(*entry);
  });
}

std::shared_ptr<CapsuleProcess> ForkStandby::take_capsule(const Session& original) {
  const auto found = entries_.find(&original);
  return found == entries_.end() ? nullptr : std::exchange(found->second->capsule, nullptr);
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
  original->fork({1, Pool::Nest::kStandby}, [this, entry, original = std::weak_ptr(original)](
                                                Result<std::vector<ForkedCopy>> copies) {
    entry->is_making = false;
    const auto still = original.lock();
    if (!copies) {  // it will not go better the next time
      log_debug("no fork is made in advance", {{"session", still ? still->id() : ""}, {"why", copies.error().message}});
      return forget(*entry);
    }
    // What they do to files without a name and to shared memory is not seen.
    const bool is_alone = !has_processes(copies->front().copy->not_captured());
    const bool is_wanted = is_current(entry, still);
    if (is_wanted && is_alone) return begin(entry, still, std::move(copies->front()));
    if (still) still->give_back(std::move(copies->front()));
    if (is_wanted) forget(*entry);
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
      if (!current) ++entry->outdated;
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

void ForkStandby::drop_capsule(Entry& entry) {
  if (const auto capsule = std::exchange(entry.capsule, nullptr)) {
    entry.pool->release(Lease{capsule, nullptr}, label::Recycle::kSession);
  }
}

void ForkStandby::forget(const Entry& entry) {
  for (auto found = entries_.begin(); found != entries_.end(); ++found) {
    if (found->second.get() != &entry) continue;
    const EntryPtr kept = found->second;
    entries_.erase(found);
    kept->timer.cancel();
    drop_capsule(*kept);
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

// Capsules inside capsules, and processes that live in one and are the children of another one's keeper.
#include <algorithm>

#include "base/posix_io.h"
#include "manager/observe/log.h"
#include "manager/pool/capsule_process.h"
#include "manager/pool/proc_stats.h"

namespace capsule {
namespace {
constexpr size_t kPidNamespaceAt = 1;  // among what a keeper inside sends
}

// ---- making one ------------------------------------------------------------------------------------------------

void CapsuleProcess::make_nested(uint64_t id, std::function<void()> on_gone, NestedMade made) {
  if (gone_ || destroyed_) return made(failure(Errc::kClosed, "the capsule is gone"));
  if (depth_ >= kForkDepthMax) {
    return made(
        failure(Errc::kUnavailable, "a session that is " + std::to_string(kForkDepthMax) +
                                        " forks away from the first cannot be forked again: the kernel nests "
                                        "no deeper. Save a durable checkpoint, and begin a new session from it"));
  }
  if (!is_contained()) {
    return made(failure(Errc::kUnavailable,
                        "sessions are forked into namespaces of their own, which cannot be had "
                        "here; `capsule doctor` says why"));
  }
  if (!cgroup_) return branch_nested(id, std::nullopt, std::move(on_gone), std::move(made));
  cgroups_.make("capsule-" + std::to_string(id) + "-" + profile_, limits_,
                [self = shared_from_this(), id, on_gone = std::move(on_gone),
                 made = std::move(made)](Result<CapsuleCgroup> group) mutable {
                  if (!group) return made(tl::unexpected<Error>(group.error()));
                  self->branch_nested(id, std::move(*group), std::move(on_gone), std::move(made));
                });
}

void CapsuleProcess::branch_nested(uint64_t id, std::optional<CapsuleCgroup> cgroup, std::function<void()> on_gone,
                                   NestedMade made) {
  auto link = make_stream_socketpair();
  auto relay = make_packet_socketpair();
  auto doors = cgroup ? cgroup->doors() : Result<std::vector<UniqueFd>>(std::vector<UniqueFd>());
  if (gone_ || destroyed_ || !link || !relay || !doors) {
    if (cgroup) cgroups_.remove(std::move(*cgroup));
    return made(failure(Errc::kUnavailable, "a capsule for the fork cannot be made"));
  }
  Branch branch;
  branch.id = ++last_request_;
  branch.name = "capsule-" + std::to_string(id);
  branch.nested = true;
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(link->second));
  fds.push_back(std::move(relay->second));
  for (UniqueFd& door : *doors) fds.push_back(std::move(door));
  Start start{id,
              branch.name,
              profile_,
              std::move(link->first),
              {},
              {},
              cgroups_,
              cgroup_mode_,
              limits_,
              allowed_hosts_,
              user_,
              shared_from_this(),
              std::move(cgroup),
              std::move(relay->first),
              workspace_max_,
              resize_};
  nesting_.emplace(branch.id, Nesting{std::move(start), std::move(on_gone), std::move(made)});
  channel_->send(branch, std::move(fds));
  expect_answer();
}

void CapsuleProcess::nested_branched(const Branched& reply, std::vector<UniqueFd>& fds) {
  auto found = nesting_.extract(reply.re);
  if (found.empty()) return;
  Nesting nesting = std::move(found.mapped());
  if (!reply.failure.empty() || fds.empty()) {
    if (nesting.start.cgroup) cgroups_.remove(std::move(*nesting.start.cgroup));
    return nesting.made(failure(Errc::kUnavailable, "cannot make a capsule for the fork: " + reply.failure));
  }
  nesting.start.pidfd = std::move(fds[0]);
  auto capsule = std::make_shared<CapsuleProcess>(loop_, std::move(nesting.start), config_, metrics_);
  ++nested_;
  const auto made = std::make_shared<NestedMade>(std::move(nesting.made));
  Events events;
  events.on_ready = [made, still = std::weak_ptr(capsule)](const Hello&) {
    if (*made) std::exchange(*made, nullptr)(still.lock());
  };
  events.on_gone = [made, still = std::weak_ptr(capsule), on_gone = std::move(nesting.on_gone)] {
    const auto gone = still.lock();
    const std::string why = gone ? gone->hello_.failure : std::string();
    if (*made) std::exchange(*made, nullptr)(failure(Errc::kUnavailable, "the fork's capsule ended: " + why));
    on_gone();
  };
  capsule->begin(std::move(events));
  nested_keepers_.insert(capsule->pid_);
}

void CapsuleProcess::nested_gone() {
  --nested_;
  if (emptied_ && nested_ == 0) destroy();
}

Result<std::vector<UniqueFd>> CapsuleProcess::open_cgroup_doors() const {
  return cgroup_ ? cgroup_->doors() : Result<std::vector<UniqueFd>>(std::vector<UniqueFd>());
}

void CapsuleProcess::ask_whether_files_are_current(std::function<void(bool)> answer) {
  if (gone_ || destroyed_) return answer(false);
  const uint64_t request = ++last_request_;
  comparing_.emplace(request, std::move(answer));
  channel_->send(Ping{request, false});
  expect_answer();
}

// ---- copies ----------------------------------------------------------------------------------------------------

CapsuleProcess& CapsuleProcess::guardian_of(pid_t pid_in_capsule, pid_t& pid_there) {
  pid_there = pid_in_capsule;
  const auto guest = guests_.find(pid_in_capsule);
  if (guest == guests_.end()) return *this;
  const auto guardian = guest->second.guardian.lock();
  if (!guardian) return *this;
  pid_there = guest->second.pid_there;
  return *guardian;  // which lives as long as we do: it is around us
}

void CapsuleProcess::expect_copy(pid_t pid_in_capsule, CapsuleProcess& home) {
  pid_t pid_there = 0;
  CapsuleProcess& guardian = guardian_of(pid_in_capsule, pid_there);
  if (home.relay_ && home.namespaces_.size() > kPidNamespaceAt) {  // before anybody in there asks anything
    std::vector<UniqueFd> fds;
    fds.push_back(std::move(home.relay_));
    fds.push_back(duplicate(home.namespaces_[kPidNamespaceAt].get()));
    guardian.channel_->send(Nested{}, std::move(fds));
  }
  guardian.channel_->send(Expect{pid_there, &home != this});
}

void CapsuleProcess::expect_no_copy(pid_t pid_in_capsule) {
  if (gone_ || destroyed_) return;
  pid_t pid_there = 0;
  CapsuleProcess& guardian = guardian_of(pid_in_capsule, pid_there);
  guardian.channel_->send(Expect{pid_there, false, true});
}

void CapsuleProcess::ask_to_keep(pid_t pid, Asked asked) {
  if (gone_ || destroyed_) return asked(failure(Errc::kClosed, "the capsule is gone"));
  const uint64_t request = ++last_request_;
  keeping_.emplace(request, std::move(asked));
  channel_->send(Snapshot{request, pid});
  expect_answer();
}

// The keeper that its number comes from finds it; the others are told by what they call it, and not waited for: their
// answer comes before they acknowledge the sweep that wakes it.
void CapsuleProcess::keep_copy(const Claim& claim, std::function<void()> died, Kept kept) {
  pid_t ignored = 0;
  const auto guardian = guardian_of(claim.original, ignored).shared_from_this();
  ask_to_keep(claim.copy, [self = shared_from_this(), guardian, home = claim.home, pid = claim.copy,
                           died = std::move(died), kept = std::move(kept)](Result<UniqueFd> pidfd) mutable {
    if (!pidfd) return kept(tl::unexpected<Error>(pidfd.error()));
    if (guardian == self && home == self) {
      self->copies_[pid] = std::move(died);
      self->count_copies();
      return kept(KeptCopy{std::move(*pidfd), pid});
    }
    const auto copy = read_copy_status(pid_of(pidfd->get()));
    // What its worker ran before has made it; it may have kept what entering a user namespace gives.
    if (!copy || !copy->is_powerless || copy->numbers.size() <= home->depth_ + 1) {
      send_kill(pidfd->get());
      return kept(failure(Errc::kUnavailable, "the copy did not give up its capabilities, or went nowhere"));
    }
    for (const auto& other : std::set{guardian, home}) {
      if (other != self && other->depth_ != self->depth_) other->keep_or_kill(*copy, duplicate(pidfd->get()));
    }
    const pid_t pid_there = copy->numbers[guardian->depth_ + 1], pid_at_home = copy->numbers[home->depth_ + 1];
    guardian->copies_[pid_there] = std::move(died);
    if (home != guardian) home->settle_in(guardian, pid_there, pid_at_home, copy->numbers.front());
    home->count_copies();
    kept(KeptCopy{std::move(*pidfd), pid_at_home});
  });
}

// What it does not find is none of ours, whatever it is: its own worker made it up.
void CapsuleProcess::keep_or_kill(const CopyStatus& copy, UniqueFd pidfd) {
  ask_to_keep(copy.numbers[depth_ + 1], [copy = std::make_shared<UniqueFd>(std::move(pidfd))](Result<UniqueFd> found) {
    if (!found) send_kill(copy->get());
  });
}

void CapsuleProcess::settle_in(const std::shared_ptr<CapsuleProcess>& guardian, pid_t pid_there, pid_t pid_at_home,
                               pid_t pid) {
  guests_[pid_at_home] = {guardian, pid_there, pid};
  guardian->wards_[pid_there] = {weak_from_this(), pid_at_home, pid};
}

// ---- what it uses ----------------------------------------------------------------------------------------------

TreeUsage CapsuleProcess::read_tree(MemoryCount count) const {
  std::vector<pid_t> roots{pid_};
  for (const auto& [pid, guest] : guests_) roots.push_back(guest.pid);
  std::set<pid_t> without = nested_keepers_;
  for (const auto& [pid, ward] : wards_) without.insert(ward.pid);
  for (const pid_t root : roots) without.erase(root);
  return read_process_tree(roots, without, count);
}

}  // namespace capsule

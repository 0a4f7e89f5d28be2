// Whether control groups do here what their files promise: a throw-away child does outside, and then in a group of its
// own, what the group is to bound and to count. For the start of a manager; takes a few milliseconds, in version 2 one
// grace period of the kernel (13 ms) more. Forks: to be called before there are other threads, or with nothing but
// system calls in them to worry about (the child makes system calls only).
#pragma once

#include "manager/cgroup/capsule_cgroup.h"

namespace capsule {

inline constexpr uint64_t kProofBytes = 4u << 20;  // what the child fills, outside and inside

// An error says what was not refused, or not counted. A root without groups is nothing to prove.
Status prove_groups(const CgroupRoot& root);

}  // namespace capsule

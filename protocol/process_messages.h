// Between the manager and its own processes: zygotes, keepers, workers, snapshots. Included by message.h, which has the
// words.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/message_parts.h"

namespace capsule {

// manager -> zygote, once, after hello: what to become.
struct Prepare {
  static constexpr std::string_view kType = "prepare";
  uint64_t id = 0;
  std::string profile;
  std::vector<std::string> preload;
  std::map<std::string, std::string> environment;
  std::string namespaces = "auto";  // auto, off
  uint64_t heartbeat_ms = 0;
  uint64_t workspace_bytes = 0;
  uint64_t workspace_files = 0;
  std::string network = "none";  // none, loopback, proxy
  bool subprocess = true;        // programs may start processes
  std::vector<Mount> mounts;
  std::vector<std::string> packages;  // directories: read-only at the same path, and importable before the preload
  uint64_t tmp_bytes = 0;             // 0: as workspace_bytes
  uint64_t shm_bytes = 0;             // 0: as workspace_bytes
  uint64_t memory_soft_bytes = 0;     // 0: no soft limit
  uint64_t processes = 0;             // 0: none of its own
  uint64_t open_files = 0;            // 0: as inherited
  bool own_users = false;             // the manager writes the id maps: see `mapped`
  bool operator==(const Prepare&) const = default;
};

// manager -> parked or worker: fork a child that gets the descriptor sent along as its link. A zygote's child is a
// keeper, a keeper's child is a worker; a worker's and a snapshot's child is a snapshot: a parked copy. With `nested` a
// keeper's child is the keeper of a capsule inside this one, and its end of the relay comes second, then the control
// groups it is to enter; the copy of a worker or a snapshot goes into such a capsule, whose namespaces come after the
// link. With `ahead` a zygote's child forks its first worker before it is asked for one: nobody is going to move it
// into another control group then.
struct Branch {
  static constexpr std::string_view kType = "branch";
  uint64_t id = 0;
  std::string name;       // for people: shows up in the process list
  std::string workspace;  // a directory to use when no private one can be mounted
  uint32_t uid = 0;       // the capsule's own user and group (Prepare.own_users); 0: the zygote's
  bool awaited = false;   // keepers: a run waits for this worker, which therefore starts without a rehearsal
  bool nested = false;
  bool ahead = false;
  bool operator==(const Branch&) const = default;
};

// manager -> keeper, once, when Prepare.own_users: the id maps are written (or cannot be), go on.
struct Mapped {
  static constexpr std::string_view kType = "mapped";
  std::string failure;
  bool operator==(const Mapped&) const = default;
};

// parked -> manager, the answer; a pidfd of the child comes along when there is no failure.
struct Branched {
  static constexpr std::string_view kType = "branched";
  uint64_t re = 0;
  int64_t pid = 0;  // as the parked process sees it
  std::string failure;
  uint64_t took_us = 0;
  std::vector<std::string> not_captured;  // snapshots: what the copy does not have
  bool operator==(const Branched&) const = default;
};

// manager -> keeper, no answer: this process of yours is about to be asked for a copy of itself. Only then may it make
// one (a child of the keeper); with `nested` also go into the namespaces of a capsule inside this one. With `withdrawn`
// that is over: the copy is parked, or was refused.
struct Expect {
  static constexpr std::string_view kType = "expect";
  int64_t pid = 0;
  bool nested = false;
  bool withdrawn = false;
  bool operator==(const Expect&) const = default;
};

// manager -> keeper: `pid` is a snapshot. Nobody in the capsule reaches it, no sweep ends it. Answered by branched,
// with a pidfd. It is a child of the outermost keeper, which reports its end; in a capsule inside, that keeper is told
// first.
struct Snapshot {
  static constexpr std::string_view kType = "snapshot";
  uint64_t id = 0;
  int64_t pid = 0;  // as this keeper sees it
  bool operator==(const Snapshot&) const = default;
};

// manager -> the outermost keeper, no answer: a capsule inside yours. What its processes ask of you is for its keeper,
// at the other end of the relay that comes along with the capsule's pid namespace.
struct Nested {
  static constexpr std::string_view kType = "nested";
  bool operator==(const Nested&) const = default;
};

// manager -> snapshot: you are the worker now. Answered by hello. Descriptors that come along are control groups to
// enter.
struct Wake {
  static constexpr std::string_view kType = "wake";
  std::string name;    // for people: shows up in the process list
  bool fresh = false;  // a copy beside the original: everything random starts anew
  bool operator==(const Wake&) const = default;
};

// keeper -> manager: a child was reaped. Straight from wait4(2).
struct Exited {
  static constexpr std::string_view kType = "exited";
  int64_t pid = 0;
  int64_t status = 0;
  uint64_t user_us = 0, system_us = 0;
  uint64_t max_rss_bytes = 0;
  uint64_t minor_faults = 0, major_faults = 0;
  int32_t self_sent_signal = 0;  // the last one it sent to itself; then a death of it is its own doing
  bool operator==(const Exited&) const = default;
};

// manager -> keeper: end everything in the capsule but yourself and the snapshots. Answered by ack.
struct Sweep {
  static constexpr std::string_view kType = "sweep";
  uint64_t id = 0;
  int64_t wake = 0;  // this snapshot is a worker from now on; 0: none
  bool operator==(const Sweep&) const = default;
};

// manager -> zygote, with the pidfd of a worker: that capsule's workspace may hold less from now on. Answered by
// report.
struct Resize {
  static constexpr std::string_view kType = "resize";
  uint64_t id = 0;
  uint64_t workspace_bytes = 0, workspace_files = 0;  // 0: as it is
  bool operator==(const Resize&) const = default;
};

// worker -> manager, no answer: the program's own figure.
struct Metric {
  static constexpr std::string_view kType = "metric";
  std::string run_id;
  std::string name;
  std::string kind;  // counter, gauge
  double value = 0;
  std::map<std::string, std::string> labels;
  bool operator==(const Metric&) const = default;
};

// worker -> manager, every heartbeat_ms, whatever Python does.
struct Heartbeat {
  static constexpr std::string_view kType = "heartbeat";
  uint64_t seq = 0;
  uint64_t rss_bytes = 0;
  double cpu_percent = 0;  // since the last one; 100 is one core
  uint32_t threads = 0;
  uint64_t namespace_names = 0;
  uint64_t uptime_ms = 0;
  bool operator==(const Heartbeat&) const = default;
};

// manager -> snapshot, with the write end of a pipe: serialise your namespace into it, and end. No answer but the pipe.
struct Checkpoint {
  static constexpr std::string_view kType = "checkpoint";
  uint64_t id = 0;
  std::map<std::string, std::string> leave_out;  // names, and why: what ended an earlier try
  uint64_t timeout_ms = 0, stall_timeout_ms = 0;
  uint64_t bytes_max = 0;  // of the payload
  bool operator==(const Checkpoint&) const = default;
};

// manager -> worker, with the read end of a pipe: fill your namespace from it. Answered by report.
struct Restore {
  static constexpr std::string_view kType = "restore";
  uint64_t id = 0;
  bool operator==(const Restore&) const = default;
};

struct Report {
  static constexpr std::string_view kType = "report";
  uint64_t re = 0;
  Bytes json;  // an object; of a checkpoint: its metadata
  std::string failure;
  bool operator==(const Report&) const = default;
};

}  // namespace capsule

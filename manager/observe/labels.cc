#include "manager/observe/labels.h"

namespace capsule::label {

std::string_view to_string(Rejection value) {
  switch (value) {
    case Rejection::kQueueFull: return "queue_full";
    case Rejection::kClientFull: return "client_full";
    case Rejection::kUidFull: return "uid_full";
    case Rejection::kUidCrashes: return "uid_crashes";
    case Rejection::kLayerMissing: return "layer_missing";
    case Rejection::kPoolExhausted: return "pool_exhausted";
    case Rejection::kAcquireTimeout: return "acquire_timeout";
    case Rejection::kProfileUnavailable: return "profile_unavailable";
    case Rejection::kRecordsBehind: return "records_behind";
    case Rejection::kDraining: return "draining";
  }
  return "";
}

std::string_view to_string(Policy value) {
  switch (value) {
    case Policy::kRequest: return "request";
    case Policy::kLimit: return "limit";
    case Policy::kProfile: return "profile";
    case Policy::kSession: return "session";
    case Policy::kInspect: return "inspect";
    case Policy::kLayer: return "layer";
    case Policy::kUserCap: return "user_cap";
    case Policy::kSandbox: return "sandbox";
    case Policy::kApiKey: return "api_key";
    case Policy::kKeyRate: return "key_rate";
    case Policy::kHost: return "host";
  }
  return "";
}

std::string_view to_string(Ruling value) {
  switch (value) {
    case Ruling::kAllowed: return "allowed";
    case Ruling::kTightened: return "tightened";
    case Ruling::kRefused: return "refused";
  }
  return "";
}

std::string_view to_string(AuditLogKind value) {
  switch (value) {
    case AuditLogKind::kAudit: return "audit";
    case AuditLogKind::kDecisions: return "decisions";
  }
  return "";
}

std::string_view to_string(HttpMethod value) {
  switch (value) {
    case HttpMethod::kGet: return "GET";
    case HttpMethod::kHead: return "HEAD";
    case HttpMethod::kOther: return "other";
  }
  return "";
}

std::string_view to_string(HttpRoute value) {
  switch (value) {
    case HttpRoute::kMetrics: return "/metrics";
    case HttpRoute::kHealthLive: return "/health/live";
    case HttpRoute::kHealthReady: return "/health/ready";
    case HttpRoute::kHealth: return "/health";
    case HttpRoute::kVersion: return "/version";
    case HttpRoute::kGoldenSignals: return "/golden-signals";
    case HttpRoute::kInfo: return "/info";
    case HttpRoute::kCpuProfile: return "/debug/pprof/profile";
    case HttpRoute::kHeapProfile: return "/debug/pprof/heap";
    case HttpRoute::kIndex: return "/";
    case HttpRoute::kOther: return "other";
  }
  return "";
}

std::string_view to_string(HttpCode value) {
  switch (value) {
    case HttpCode::kServed: return "2xx";
    case HttpCode::kRefused: return "4xx";
    case HttpCode::kFailed: return "5xx";
  }
  return "";
}

std::string_view to_string(Recycle value) {
  switch (value) {
    case Recycle::kUsed: return "used";
    case Recycle::kSession: return "session";
    case Recycle::kIdle: return "idle";
    case Recycle::kExcess: return "excess";
    case Recycle::kAge: return "age";
    case Recycle::kZygote: return "zygote";
    case Recycle::kMemory: return "memory";
    case Recycle::kCrashed: return "crashed";
    case Recycle::kKilled: return "killed";
    case Recycle::kLost: return "lost";
    case Recycle::kUnhealthy: return "unhealthy";
    case Recycle::kStartFailed: return "start_failed";
    case Recycle::kShutdown: return "shutdown";
  }
  return "";
}

std::string_view to_string(ZygoteRestart value) {
  switch (value) {
    case ZygoteRestart::kForks: return "forks";
    case ZygoteRestart::kAge: return "age";
    case ZygoteRestart::kDied: return "died";
    case ZygoteRestart::kUnhealthy: return "unhealthy";
    case ZygoteRestart::kReload: return "reload";
  }
  return "";
}

std::string_view to_string(HealthOutcome value) {
  switch (value) {
    case HealthOutcome::kOk: return "ok";
    case HealthOutcome::kFailed: return "failed";
    case HealthOutcome::kTimedOut: return "timed_out";
  }
  return "";
}

std::string_view to_string(SpawnStep value) {
  switch (value) {
    case SpawnStep::kBranchCapsule: return "branch_capsule";
    case SpawnStep::kCapsuleSetup: return "capsule_setup";
    case SpawnStep::kBranchWorker: return "branch_worker";
    case SpawnStep::kWarmUp: return "warm_up";
  }
  return "";
}

std::string_view to_string(CancelReason value) {
  switch (value) {
    case CancelReason::kCancel: return "cancel";
    case CancelReason::kTimeout: return "timeout";
    case CancelReason::kCpuLimit: return "cpu_limit";
    case CancelReason::kMemoryLimit: return "memory_limit";
    case CancelReason::kOutputLimit: return "output_limit";
    case CancelReason::kClientGone: return "client_gone";
    case CancelReason::kShutdown: return "shutdown";
  }
  return "";
}

std::string_view to_string(Rung value) {
  switch (value) {
    case Rung::kInterrupt: return "interrupt";
    case Rung::kKill: return "kill";
  }
  return "";
}

std::string_view to_string(Stream value) {
  switch (value) {
    case Stream::kStdout: return "stdout";
    case Stream::kStderr: return "stderr";
  }
  return "";
}

std::string_view to_string(Direction value) {
  switch (value) {
    case Direction::kReceived: return "received";
    case Direction::kSent: return "sent";
  }
  return "";
}

std::string_view to_string(Socket value) {
  switch (value) {
    case Socket::kClient: return "client";
    case Socket::kWorker: return "worker";
  }
  return "";
}

std::string_view to_string(Connection value) {
  switch (value) {
    case Connection::kAccepted: return "accepted";
    case Connection::kRefused: return "refused";
  }
  return "";
}

std::string_view to_string(ProxyOutcome value) {
  switch (value) {
    case ProxyOutcome::kAllowed: return "allowed";
    case ProxyOutcome::kDenied: return "denied";
    case ProxyOutcome::kFailed: return "failed";
  }
  return "";
}

std::string_view to_string(SessionClose value) {
  switch (value) {
    case SessionClose::kRemoved: return "removed";
    case SessionClose::kIdle: return "idle";
    case SessionClose::kFailed: return "failed";
    case SessionClose::kShutdown: return "shutdown";
  }
  return "";
}

std::string_view to_string(Fork value) {
  switch (value) {
    case Fork::kMade: return "made";
    case Fork::kRefused: return "refused";
    case Fork::kFailed: return "failed";
  }
  return "";
}

std::string_view to_string(ForkStart value) {
  switch (value) {
    case ForkStart::kAhead: return "ahead";
    case ForkStart::kCapsule: return "capsule";
    case ForkStart::kNothing: return "nothing";
  }
  return "";
}

std::string_view to_string(Snapshot value) {
  switch (value) {
    case Snapshot::kTaken: return "taken";
    case Snapshot::kRefused: return "refused";
    case Snapshot::kFailed: return "failed";
  }
  return "";
}

std::string_view to_string(SpanOutcome value) {
  switch (value) {
    case SpanOutcome::kExported: return "exported";
    case SpanOutcome::kRecorded: return "recorded";
    case SpanOutcome::kRefused: return "refused";
    case SpanOutcome::kLost: return "lost";
  }
  return "";
}

std::string_view to_string(Recorded value) {
  switch (value) {
    case Recorded::kAccepted: return "accepted";
    case Recorded::kContent: return "content";
    case Recorded::kFinished: return "finished";
  }
  return "";
}

std::string_view to_string(Rollback value) {
  switch (value) {
    case Rollback::kSnapshot: return "snapshot";
    case Rollback::kFresh: return "fresh";
  }
  return "";
}

std::string_view to_string(Frame value) {
  switch (value) {
    case Frame::kExecute: return "execute";
    case Frame::kInput: return "input";
    case Frame::kOutput: return "output";
    case Frame::kDisplay: return "display";
    case Frame::kResult: return "result";
    case Frame::kFinished: return "finished";
    case Frame::kHeartbeat: return "heartbeat";
    case Frame::kFile: return "file";
    case Frame::kProcess: return "process";
    case Frame::kRequest: return "request";
    case Frame::kAnswer: return "answer";
    case Frame::kOther: return "other";
  }
  return "";
}

std::string_view to_string(Request value) {
  switch (value) {
    case Request::kExecute: return "execute";
    case Request::kCancel: return "cancel";
    case Request::kSession: return "session";
    case Request::kInfo: return "info";
    case Request::kRecord: return "record";
    case Request::kTrace: return "trace";
    case Request::kInspect: return "inspect";
    case Request::kStack: return "stack";
    case Request::kTap: return "tap";
    case Request::kFile: return "file";
    case Request::kCheckpoint: return "checkpoint";
    case Request::kPing: return "ping";
  }
  return "";
}

std::string_view to_string(CheckpointWork value) {
  switch (value) {
    case CheckpointWork::kSave: return "save";
    case CheckpointWork::kRestore: return "restore";
  }
  return "";
}

std::string_view to_string(CheckpointOutcome value) {
  switch (value) {
    case CheckpointOutcome::kDone: return "done";
    case CheckpointOutcome::kFailed: return "failed";
  }
  return "";
}

std::string_view to_string(Denial value) {
  switch (value) {
    case Denial::kSeccomp: return "seccomp";
    case Denial::kNetwork: return "network";
    case Denial::kMemory: return "memory";
  }
  return "";
}

std::string_view to_string(Evidence value) {
  switch (value) {
    case Evidence::kAudit: return "audit";
    case Evidence::kRecords: return "records";
  }
  return "";
}

std::string_view to_string(LayerState value) {
  switch (value) {
    case LayerState::kOn: return "on";
    case LayerState::kDegraded: return "degraded";
    case LayerState::kOff: return "off";
  }
  return "";
}

std::string_view to_string(UserMetricDrop value) {
  switch (value) {
    case UserMetricDrop::kInvalid: return "invalid";
    case UserMetricDrop::kFull: return "full";
    case UserMetricDrop::kRate: return "rate";
  }
  return "";
}

}  // namespace capsule::label

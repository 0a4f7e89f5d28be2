// The closed label sets of the metrics. Every value here is a time series that exists from the start at 0, so adding
// one is cheap and inventing one at run time is impossible. In a namespace of their own: rooms have enums of the same
// meaning for deciding, these are only for counting.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace capsule::label {

// Why a run was turned away before anything ran.
enum class Rejection {
  kQueueFull,
  kClientFull,
  kUidFull,     // its user has as many queued, running or in sessions as it may
  kUidCrashes,  // its user's programs crashed too often within a minute
  kPoolExhausted,
  kAcquireTimeout,
  kProfileUnavailable,
  kLayerMissing,   // it requires a sandbox layer that is not in force
  kRecordsBehind,  // it could not be recorded
  kDraining
};
inline constexpr std::array kAllRejections{Rejection::kQueueFull,
                                           Rejection::kClientFull,
                                           Rejection::kUidFull,
                                           Rejection::kUidCrashes,
                                           Rejection::kPoolExhausted,
                                           Rejection::kAcquireTimeout,
                                           Rejection::kProfileUnavailable,
                                           Rejection::kLayerMissing,
                                           Rejection::kRecordsBehind,
                                           Rejection::kDraining};
std::string_view to_string(Rejection value);

// What a request or a program tried that a policy forbids.
enum class Policy {
  kRequest,  // a request that makes no sense
  kLimit,    // more than it may ask for
  kProfile,  // a profile that is not there
  kSession,  // a session that is not there for this user
  kInspect,  // a look into a session whose profile does not let anybody
  kLayer,    // a sandbox layer that is not in force, or not known
  kUserCap,  // more than its user may have, or crashed too often
  kSandbox,  // a program that its sandbox ended
  kApiKey,   // an HTTP request without a key that holds
  kKeyRate,  // more HTTP requests than its key allows
  kHost      // an HTTP request for another host
};
inline constexpr std::array kAllPolicies{Policy::kRequest, Policy::kLimit,   Policy::kProfile, Policy::kSession,
                                         Policy::kInspect, Policy::kLayer,   Policy::kUserCap, Policy::kSandbox,
                                         Policy::kApiKey,  Policy::kKeyRate, Policy::kHost};
std::string_view to_string(Policy value);

// What admission said to a run.
enum class Ruling { kAllowed, kTightened, kRefused };
inline constexpr std::array kAllRulings{Ruling::kAllowed, Ruling::kTightened, Ruling::kRefused};
std::string_view to_string(Ruling value);

// Both logs of audit_log.h.
enum class AuditLogKind { kAudit, kDecisions };
inline constexpr std::array kAllAuditLogKinds{AuditLogKind::kAudit, AuditLogKind::kDecisions};
std::string_view to_string(AuditLogKind value);

// What became of spans: sent to the collector, written to traces.jsonl, not wanted by the collector, given up.
enum class SpanOutcome { kExported, kRecorded, kRefused, kLost };
inline constexpr std::array kAllSpanOutcomes{SpanOutcome::kExported, SpanOutcome::kRecorded, SpanOutcome::kRefused,
                                             SpanOutcome::kLost};
std::string_view to_string(SpanOutcome value);

// Requests to the HTTP listener.
enum class HttpMethod { kGet, kHead, kOther };
inline constexpr std::array kAllHttpMethods{HttpMethod::kGet, HttpMethod::kHead, HttpMethod::kOther};
std::string_view to_string(HttpMethod value);
enum class HttpRoute {
  kMetrics,
  kHealthLive,
  kHealthReady,
  kHealth,
  kVersion,
  kGoldenSignals,
  kInfo,
  kCpuProfile,
  kHeapProfile,
  kIndex,
  kOther
};
inline constexpr std::array kAllHttpRoutes{HttpRoute::kMetrics, HttpRoute::kHealthLive, HttpRoute::kHealthReady,
                                           HttpRoute::kHealth,  HttpRoute::kVersion,    HttpRoute::kGoldenSignals,
                                           HttpRoute::kInfo,    HttpRoute::kCpuProfile, HttpRoute::kHeapProfile,
                                           HttpRoute::kIndex,   HttpRoute::kOther};
std::string_view to_string(HttpRoute value);
// The class of the status that it was answered with.
enum class HttpCode { kServed, kRefused, kFailed };
inline constexpr std::array kAllHttpCodes{HttpCode::kServed, HttpCode::kRefused, HttpCode::kFailed};
std::string_view to_string(HttpCode value);

// How a one-shot run or a new session got its worker: from the stock, or by waiting for one to be made.
enum class Lease { kHit, kMiss };

// Why a worker was ended. `used`: its one-shot run is over. `idle`, `excess`, `age`, `zygote`: never used, and the
// stock shrinks, was too large, or got stale. `session`: its session was closed or reset.
enum class Recycle {
  kUsed,
  kSession,
  kIdle,
  kExcess,
  kAge,
  kZygote,
  kMemory,
  kCrashed,
  kKilled,
  kLost,
  kUnhealthy,
  kStartFailed,
  kShutdown
};
inline constexpr std::array kAllRecycles{
    Recycle::kUsed,      Recycle::kSession,     Recycle::kIdle,    Recycle::kExcess, Recycle::kAge,
    Recycle::kZygote,    Recycle::kMemory,      Recycle::kCrashed, Recycle::kKilled, Recycle::kLost,
    Recycle::kUnhealthy, Recycle::kStartFailed, Recycle::kShutdown};
std::string_view to_string(Recycle value);

// Why a zygote was replaced.
enum class ZygoteRestart { kForks, kAge, kDied, kUnhealthy, kReload };
inline constexpr std::array kAllZygoteRestarts{ZygoteRestart::kForks, ZygoteRestart::kAge, ZygoteRestart::kDied,
                                               ZygoteRestart::kUnhealthy, ZygoteRestart::kReload};
std::string_view to_string(ZygoteRestart value);

enum class HealthOutcome { kOk, kFailed, kTimedOut };
inline constexpr std::array kAllHealthOutcomes{HealthOutcome::kOk, HealthOutcome::kFailed, HealthOutcome::kTimedOut};
std::string_view to_string(HealthOutcome value);

// Steps on the way to a ready worker, in their order.
enum class SpawnStep { kBranchCapsule, kCapsuleSetup, kBranchWorker, kWarmUp };
inline constexpr std::array kAllSpawnSteps{SpawnStep::kBranchCapsule, SpawnStep::kCapsuleSetup,
                                           SpawnStep::kBranchWorker, SpawnStep::kWarmUp};
std::string_view to_string(SpawnStep value);

enum class Breaker { kClosed, kOpen };

// Who or what wanted a run ended.
enum class CancelReason { kCancel, kTimeout, kCpuLimit, kMemoryLimit, kOutputLimit, kClientGone, kShutdown };
inline constexpr std::array kAllCancelReasons{
    CancelReason::kCancel,      CancelReason::kTimeout,    CancelReason::kCpuLimit, CancelReason::kMemoryLimit,
    CancelReason::kOutputLimit, CancelReason::kClientGone, CancelReason::kShutdown};
std::string_view to_string(CancelReason value);

// The rung of the ladder that ended it; the same words as in a verdict's evidence.
enum class Rung { kInterrupt, kKill };
inline constexpr std::array kAllRungs{Rung::kInterrupt, Rung::kKill};
std::string_view to_string(Rung value);

enum class Stream { kStdout, kStderr };
inline constexpr std::array kAllStreams{Stream::kStdout, Stream::kStderr};
std::string_view to_string(Stream value);

enum class Direction { kReceived, kSent };
inline constexpr std::array kAllDirections{Direction::kReceived, Direction::kSent};
std::string_view to_string(Direction value);

// What a frame is about: the messages of a run by their own words, the others in groups. Which pairs of direction and
// type there can be is in families.cc; whatever else a peer sends counts as `other`.
enum class Frame {
  kExecute,
  kInput,
  kOutput,
  kDisplay,
  kResult,
  kFinished,
  kHeartbeat,
  kFile,     // what is in workspaces, and checkpoints on their way
  kProcess,  // how zygotes, keepers and snapshots are led
  kRequest,  // everything else that wants an answer
  kAnswer,
  kOther
};
inline constexpr std::array kAllFrames{Frame::kExecute, Frame::kInput,    Frame::kOutput,    Frame::kDisplay,
                                       Frame::kResult,  Frame::kFinished, Frame::kHeartbeat, Frame::kFile,
                                       Frame::kProcess, Frame::kRequest,  Frame::kAnswer,    Frame::kOther};
std::string_view to_string(Frame value);

// The words of an `error` frame.
inline constexpr std::array kAllErrorCodes{Errc::kInvalid,  Errc::kTooLarge, Errc::kNotFound,
                                           Errc::kConflict, Errc::kRefused,  Errc::kUnavailable,
                                           Errc::kTimedOut, Errc::kClosed,   Errc::kSystem};

// What clients ask for over the socket.
enum class Request {
  kExecute,
  kCancel,
  kSession,
  kInfo,
  kRecord,
  kTrace,
  kInspect,
  kStack,
  kTap,
  kFile,
  kCheckpoint,
  kPing
};
inline constexpr std::array kAllRequests{Request::kExecute, Request::kCancel, Request::kSession,    Request::kInfo,
                                         Request::kRecord,  Request::kTrace,  Request::kInspect,    Request::kStack,
                                         Request::kTap,     Request::kFile,   Request::kCheckpoint, Request::kPing};
std::string_view to_string(Request value);

// Which kind of peer a frame came from or went to; zygotes and keepers count as workers.
enum class Socket { kClient, kWorker };
inline constexpr std::array kAllSockets{Socket::kClient, Socket::kWorker};
std::string_view to_string(Socket value);

enum class Connection { kAccepted, kRefused };
inline constexpr std::array kAllConnections{Connection::kAccepted, Connection::kRefused};
std::string_view to_string(Connection value);

// What became of a program's request to the proxy of its capsule.
enum class ProxyOutcome { kAllowed, kDenied, kFailed };
inline constexpr std::array kAllProxyOutcomes{ProxyOutcome::kAllowed, ProxyOutcome::kDenied, ProxyOutcome::kFailed};
std::string_view to_string(ProxyOutcome value);

// Why a session ended. `failed`: its worker could not be started or replaced.
enum class SessionClose { kRemoved, kIdle, kFailed, kShutdown };
inline constexpr std::array kAllSessionCloses{SessionClose::kRemoved, SessionClose::kIdle, SessionClose::kFailed,
                                              SessionClose::kShutdown};
std::string_view to_string(SessionClose value);

// What became of a wish for a snapshot. `refused`: the worker cannot be copied now (threads); `failed`: our fault.
enum class Snapshot { kTaken, kRefused, kFailed };
inline constexpr std::array kAllSnapshots{Snapshot::kTaken, Snapshot::kRefused, Snapshot::kFailed};
std::string_view to_string(Snapshot value);

// What is written to the log of runs: that a run was accepted, its output and results, how it ended.
enum class Recorded { kAccepted, kContent, kFinished };
inline constexpr std::array kAllRecorded{Recorded::kAccepted, Recorded::kContent, Recorded::kFinished};
std::string_view to_string(Recorded value);

// What became of a request for forks. `refused`: there is no room, or the session cannot be copied now.
enum class Fork { kMade, kRefused, kFailed };
inline constexpr std::array kAllForks{Fork::kMade, Fork::kRefused, Fork::kFailed};
std::string_view to_string(Fork value);

// What a fork that was made began with: one made in advance, an empty capsule, or nothing.
enum class ForkStart { kAhead, kCapsule, kNothing };
inline constexpr std::array kAllForkStarts{ForkStart::kAhead, ForkStart::kCapsule, ForkStart::kNothing};
std::string_view to_string(ForkStart value);

// Durable checkpoints: out of a session, into a new one.
enum class CheckpointWork { kSave, kRestore };
inline constexpr std::array kAllCheckpointWorks{CheckpointWork::kSave, CheckpointWork::kRestore};
std::string_view to_string(CheckpointWork value);
enum class CheckpointOutcome { kDone, kFailed };
inline constexpr std::array kAllCheckpointOutcomes{CheckpointOutcome::kDone, CheckpointOutcome::kFailed};
std::string_view to_string(CheckpointOutcome value);

// What the sandbox refused, as far as the manager sees it: a system call for which the program was ended, a connection
// by the proxy, memory by the kernel.
enum class Denial { kSeccomp, kNetwork, kMemory };
inline constexpr std::array kAllDenials{Denial::kSeccomp, Denial::kNetwork, Denial::kMemory};
std::string_view to_string(Denial value);

// What there is to know of runs afterwards.
enum class Evidence { kAudit, kRecords };
inline constexpr std::array kAllEvidence{Evidence::kAudit, Evidence::kRecords};
std::string_view to_string(Evidence value);

// What is in force of the sandbox.
enum class LayerState { kOn, kDegraded, kOff };
inline constexpr std::array kAllLayerStates{LayerState::kOn, LayerState::kDegraded, LayerState::kOff};
std::string_view to_string(LayerState value);

// Why a program's own figure was not taken.
enum class UserMetricDrop {
  kInvalid,  // name, kind, labels or value are not what they can be
  kFull,     // as many names or series as there may be
  kRate      // more in a second than one worker may send
};
inline constexpr std::array kAllUserMetricDrops{UserMetricDrop::kInvalid, UserMetricDrop::kFull, UserMetricDrop::kRate};
std::string_view to_string(UserMetricDrop value);

// Where a session went back to.
enum class Rollback { kSnapshot, kFresh };
inline constexpr std::array kAllRollbacks{Rollback::kSnapshot, Rollback::kFresh};
std::string_view to_string(Rollback value);

}  // namespace capsule::label

// The configuration of the manager: plain values, each with its unit in its type or its name.
//
// Every knob (name, unit, default, bounds, sentence) is one row of the table in config_table.cc and nowhere else; a
// Config is therefore made by default_config() or parse_config() only, the members have no defaults of their own.
// Immutable once made: the rooms keep copies of the parts they need. A duration of 0 means "off" where the table says
// so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace capsule {

inline constexpr size_t kConfigBytes = 1u << 20;  // a configuration file; a larger one is an error
inline constexpr size_t kProfiles = 32;           // built-in ones included
inline constexpr size_t kPreloadModules = 256;    // of one profile
inline constexpr size_t kModuleNameBytes = 128;
inline constexpr size_t kKnobTextBytes = 4096;  // a text value: a path, an address
inline constexpr size_t kMounts = 64;           // of one profile; the same for package directories
inline constexpr size_t kAllowedHosts = 256;    // entries of one profile's network list
inline constexpr size_t kVariables = 128;       // environment variables that one profile sets

// What an acquirer gets when every worker a pool may have is in use.
enum class Exhaustion { kWait, kFailFast };
std::string_view to_string(Exhaustion value);  // wait, fail_fast

// What happens to output that nobody takes, or that passes run.output_bytes.
enum class OutputPolicy {
  kBlock,     // the program's print waits for a slow reader; the byte limit does not apply
  kTruncate,  // past the limit it is dropped and counted
  kStop,      // past the limit the run is ended
};
std::string_view to_string(OutputPolicy value);  // block, truncate, stop
std::optional<OutputPolicy> output_policy_from_string(std::string_view word);

enum class NamespaceMode { kAuto, kOff };
std::string_view to_string(NamespaceMode value);  // auto, off

// Which cgroups bound capsules: auto takes version 2 where it is delegated, else version 1, else none.
enum class CgroupMode { kAuto, kV2, kV1, kOff };
std::string_view to_string(CgroupMode value);  // auto, v2, v1, off
// How much of the sandbox must hold: see floor.h.
enum class Floor { kStrict, kStandard, kDegraded, kUnsafe };
std::string_view to_string(Floor value);  // strict, standard, degraded, unsafe

// When a session takes snapshots of itself: see sessions/snapshot_schedule.h.
enum class RollbackMode { kAlways, kIdle, kOff };
std::string_view to_string(RollbackMode value);  // always, idle, off
std::optional<RollbackMode> rollback_mode_from_string(std::string_view word);

// Of which sessions forks are made before they are asked for: those that were forked already, or all.
enum class ForkStandbyOf { kForked, kAll };
std::string_view to_string(ForkStandbyOf value);  // forked, all

// What of a run's content its record keeps, besides the facts: its code and arguments, its output and results.
enum class RecordedContent { kAll, kOutput, kCode, kNone };
std::string_view to_string(RecordedContent value);  // all, output, code, none

// What `inspect` may show of a session's namespace.
enum class InspectMode { kNames, kHashed, kOff };
std::string_view to_string(InspectMode value);  // names, hashed, off

struct PoolConfig {
  uint64_t warm{}, capsules{}, min{}, max{};
  Duration idle_timeout{}, acquire_timeout{};
  Exhaustion exhaustion{};
  Duration max_idle_age{};
  uint64_t zygote_max_forks{};
  Duration zygote_max_age{};
  double zygote_jitter_ratio{};
  Duration session_max_age{};
  uint64_t session_max_rss_bytes{};
  Duration health_interval{};
  bool operator==(const PoolConfig&) const = default;
};

struct BreakerConfig {
  uint64_t deaths{};
  Duration window{}, backoff_min{}, backoff_max{};
  bool operator==(const BreakerConfig&) const = default;
};

struct RunConfig {
  Duration timeout{}, timeout_max{}, grace{};
  uint64_t output_bytes{}, output_bytes_max{};
  OutputPolicy output_policy{};
  RecordedContent recorded{};
  uint64_t recorded_output_bytes{};  // of each stream
  Duration slow_after{};             // 0: nothing is slow
  InspectMode inspect{};
  bool operator==(const RunConfig&) const = default;
};

struct WorkerConfig {
  Duration heartbeat_interval{};
  uint64_t suspect_after{}, lost_after{};  // missed beats
  bool operator==(const WorkerConfig&) const = default;
};

// What one capsule, and a run in it, may use. Some a run or a session may tighten: docs/CONFIGURATION.md says which.
struct LimitsConfig {
  uint64_t memory_bytes{}, memory_soft_bytes{};  // soft 0: seven eighths of the other
  Duration cpu{};                                // 0: none
  uint64_t processes{}, open_files{}, tmp_bytes{}, shm_bytes{};
  uint64_t soft_bytes() const { return memory_soft_bytes != 0 ? memory_soft_bytes : memory_bytes / 8 * 7; }
  bool operator==(const LimitsConfig&) const = default;
};

struct SandboxConfig {
  Floor floor{};
  NamespaceMode namespaces{};
  CgroupMode cgroup{};
  uint64_t workspace_bytes{}, workspace_files{};
  bool operator==(const SandboxConfig&) const = default;
};

struct SessionsConfig {
  uint64_t max{};
  Duration idle_timeout{};
  uint64_t finished_runs_kept{};
  RollbackMode rollback{};
  uint64_t snapshots{}, checkpoints{};  // of one session
  Duration fork_standby{};
  ForkStandbyOf fork_standby_of{};
  bool operator==(const SessionsConfig&) const = default;
};

struct QueueConfig {
  uint64_t capacity{}, per_client{}, max_running{}, code_bytes{};
  bool operator==(const QueueConfig&) const = default;
};

struct FilesConfig {
  uint64_t upload_bytes{}, upload_files{}, uploads{}, uploads_total_bytes{};
  uint64_t file_bytes{}, list_entries{}, list_looks{};
  Duration list_timeout{};
  uint64_t holds{};
  Duration hold_timeout{};
  bool operator==(const FilesConfig&) const = default;
};

// Durable ones: files below the state directory.
struct CheckpointsConfig {
  uint64_t max_per_uid{}, quota_bytes{}, max_bytes{};
  Duration timeout{}, stall_timeout{};
  bool operator==(const CheckpointsConfig&) const = default;
};

// How much is kept of runs that are over.
struct RecordsConfig {
  uint64_t max_runs{};  // 0: nothing is recorded
  Duration max_age{};
  uint64_t max_bytes{};
  bool operator==(const RecordsConfig&) const = default;
};

// What is written down about who did what, below the state directory.
struct AuditConfig {
  uint64_t file_bytes{}, decision_file_bytes{}, files{};
  bool operator==(const AuditConfig&) const = default;
};

// Where the spans of runs go besides their records.
struct TraceConfig {
  std::string otlp_endpoint, otlp_headers_file;
  Duration otlp_timeout{};
  uint64_t file_bytes{}, files{};
  bool operator==(const TraceConfig&) const = default;
};

// Programs' own figures (`capsule.metric`), of all users together.
struct MetricsConfig {
  uint64_t user_names{}, user_series{};
  bool operator==(const MetricsConfig&) const = default;
};

struct ClientConfig {
  uint64_t max_connections{};
  uint64_t max_connections_per_uid{}, max_queued_per_uid{}, max_sessions_per_uid{}, max_workers_per_uid{};
  uint64_t max_uid_code_bytes{};
  uint64_t max_crashes_per_minute_per_uid{};
  uint64_t frames_per_s{}, frame_burst{};
  uint64_t bytes_per_s{}, byte_burst{};
  uint64_t send_buffer_bytes{};
  Duration hello_timeout{}, partial_frame_timeout{}, stalled_timeout{};
  bool operator==(const ClientConfig&) const = default;
};

struct ServerConfig {
  std::string socket, socket_group, http, http_socket, state_dir;
  Duration private_idle_exit{}, drain_timeout{};
  std::string log_level;  // debug, info, warning, error
  uint64_t worker_uid_base{}, worker_uid_count{};
  uint64_t spin_us{};
  bool operator==(const ServerConfig&) const = default;
};

// What a profile can have of its own; the top-level tables of the same names set it for all profiles.
struct ProfileSettings {
  PoolConfig pool;
  BreakerConfig breaker;
  RunConfig run;
  WorkerConfig worker;
  LimitsConfig limits;
  SandboxConfig sandbox;
  bool operator==(const ProfileSettings&) const = default;
};

enum class NetworkMode {
  kNone,      // no socket but local ones
  kLoopback,  // a loopback of the capsule's own
  kProxy,     // as loopback, and the manager connects to what the list names
};
std::string_view to_string(NetworkMode value);  // none, loopback, proxy

// "host:port" of a profile's list, host in lower case; an address is taken literally.
struct AllowedHost {
  std::string host;
  uint16_t port = 0;
  bool operator==(const AllowedHost&) const = default;
};

struct ReadOnlyMount {
  std::string source, target;  // absolute, without "..": the host's, the capsule's
  bool operator==(const ReadOnlyMount&) const = default;
};

// What a profile's programs find besides their interpreter.
struct ProfileContent {
  NetworkMode network = NetworkMode::kNone;
  std::vector<AllowedHost> allowed_hosts;  // not empty exactly with kProxy
  bool subprocess = true;
  std::vector<ReadOnlyMount> mounts;
  std::map<std::string, std::string> environment;
  std::vector<std::string> environment_from_host;  // names, copied when the manager has them
  std::vector<std::string> packages;               // directories, read-only and on sys.path
  bool operator==(const ProfileContent&) const = default;
};

struct Profile {
  std::string name;                  // [a-z0-9-]{1,64}
  std::vector<std::string> preload;  // module names, imported by the zygote in this order
  ProfileContent content;
  ProfileSettings settings;
  bool operator==(const Profile&) const = default;
};

struct Config {
  ProfileSettings defaults;
  std::map<std::string, Profile> profiles;  // `base` and `data` are always there
  SessionsConfig sessions;
  QueueConfig queue;
  FilesConfig files;
  CheckpointsConfig checkpoints;
  RecordsConfig records;
  AuditConfig audit;
  TraceConfig trace;
  MetricsConfig metrics;
  ClientConfig client;
  ServerConfig server;
  std::string default_profile;  // empty: data when its modules can be had, else base
  bool operator==(const Config&) const = default;
};

// A letter or _, then letters, digits and _; at most 128.
bool is_variable_name(std::string_view name);

// "host:port" or "[address]:port".
Result<AllowedHost> parse_allowed_host(std::string_view text);

// Every knob at its default, and the built-in profiles.
Config default_config();

// The file's knobs over the defaults. All or nothing: the error (kInvalid, kTooLarge) says
// "<file_name>:<line>:<column>: <knob>: found <what>; allowed: <what>", and for a name nobody knows the nearest one.
Result<Config> parse_config(std::string_view toml_text, std::string file_name);

// A value as people and JSON want it: durations are seconds.
using KnobValue = std::variant<uint64_t, double, std::string>;

struct KnobInfo {
  std::string name;           // "pool.warm"; "profiles.data.pool.warm" where a profile differs from the top-level value
  std::string unit;           // "s", "bytes", "workers", …; empty for text
  KnobValue value, standard;  // `standard` is the built-in default
  std::optional<KnobValue> min;  // none for text
  std::optional<KnobValue> max;
  std::vector<std::string> choices;  // for text that is one of a few words
  std::string description;           // one sentence
};

// All of them in the order of the table, then what profiles have of their own.
std::vector<KnobInfo> describe_knobs(const Config& config);

}  // namespace capsule

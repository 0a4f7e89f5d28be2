#include "manager/config_table.h"

#include "base/bytes.h"

namespace capsule {
namespace {

using P = ProfileSettings;

template <auto Part, auto Member>
auto& own(Config& config) {  // may differ between profiles
  return config.defaults.*Part.*Member;
}
template <auto Part, auto Member>
auto& one(Config& config) {  // one for the whole manager
  return config.*Part.*Member;
}
std::string& default_profile(Config& config) { return config.default_profile; }

constexpr double kMi = double{kMiB};
constexpr double kTi = double{kGiB} * 1024;
constexpr double kDay = 86400;
constexpr double kSocketPathBytes = 107;  // sun_path
constexpr double kTextBytes = double{kKnobTextBytes};
constexpr std::array<std::string_view, 4> kLogWords{"debug", "info", "warning", "error"};

// name, unit, where it lives, default, min, max, what it does
// clang-format off
constexpr Knob kTable[] = {
    {"default_profile", "", &default_profile, "", 0, 64,
     "The profile of runs and sessions that name none; empty: data when its modules can be had, else base."},

    {"pool.warm", "workers", &own<&P::pool, &PoolConfig::warm>, 2, 0, 256,
     "Ready workers to keep in stock, each a fresh interpreter that has run a no-op."},
    {"pool.capsules", "capsules", &own<&P::pool, &PoolConfig::capsules>, 2, 0, 256,
     "Ready sandboxes without a worker to keep in stock."},
    {"pool.min", "workers", &own<&P::pool, &PoolConfig::min>, 0, 0, 256,
     "What each stock shrinks to when nothing is acquired for pool.idle_timeout_s; never more than its own target."},
    {"pool.max", "workers", &own<&P::pool, &PoolConfig::max>, 64, 1, 1024,
     "Workers of the profile at most: starting, ready, running and those of sessions."},
    {"pool.idle_timeout_s", "s", &own<&P::pool, &PoolConfig::idle_timeout>, 600, 0, 30 * kDay,
     "After so long without an acquisition the stocks shrink to pool.min; 0: never."},
    {"pool.acquire_timeout_s", "s", &own<&P::pool, &PoolConfig::acquire_timeout>, 30, 0.01, kDay,
     "How long a run or a session waits for a worker before it is rejected."},
    {"pool.exhaustion", "", &own<&P::pool, &PoolConfig::exhaustion>, "wait", 0, 0,
     "What happens when pool.max workers are in use: wait for one, or reject at once.", kExhaustionWords},
    {"pool.max_idle_age_s", "s", &own<&P::pool, &PoolConfig::max_idle_age>, 600, 0, 30 * kDay,
     "A worker that stays unused for so long (less the jitter) is replaced by a fresh one; 0: never."},
    {"pool.zygote_max_forks", "forks", &own<&P::pool, &PoolConfig::zygote_max_forks>, 10000, 0, 1e9,
     "A zygote is replaced after so many forks (less the jitter); 0: never."},
    {"pool.zygote_max_age_s", "s", &own<&P::pool, &PoolConfig::zygote_max_age>, 3600, 0, 365 * kDay,
     "A zygote is replaced after so long (less the jitter); 0: never."},
    {"pool.zygote_jitter_ratio", "ratio", &own<&P::pool, &PoolConfig::zygote_jitter_ratio>, 0.1, 0, 0.9,
     "Each zygote and each idle worker takes a random part of up to this ratio off its limits."},
    {"pool.session_max_age_s", "s", &own<&P::pool, &PoolConfig::session_max_age>, 0, 0, 365 * kDay,
     "A session's worker is replaced between runs after so long, with a fresh namespace; 0: never."},
    {"pool.session_max_rss_bytes", "bytes", &own<&P::pool, &PoolConfig::session_max_rss_bytes>, 0, 0, kTi,
     "A session's worker is replaced between runs when it holds more memory than this; 0: never."},
    {"pool.health_interval_s", "s", &own<&P::pool, &PoolConfig::health_interval>, 30, 0, kDay,
     "How often a ready worker has to prove itself by running a statement; 0: never."},

    {"breaker.deaths", "deaths", &own<&P::breaker, &BreakerConfig::deaths>, 5, 1, 1000,
     "So many deaths that no user code can have caused, within breaker.window_s, stop all starts of the profile."},
    {"breaker.window_s", "s", &own<&P::breaker, &BreakerConfig::window>, 10, 0.1, 3600,
     "How far back deaths are counted."},
    {"breaker.backoff_min_s", "s", &own<&P::breaker, &BreakerConfig::backoff_min>, 0.1, 0.01, 3600,
     "The shortest pause before a start is tried again; it doubles each time."},
    {"breaker.backoff_max_s", "s", &own<&P::breaker, &BreakerConfig::backoff_max>, 30, 0.01, kDay,
     "The longest pause before a start is tried again."},

    {"run.timeout_s", "s", &own<&P::run, &RunConfig::timeout>, 300, 0, 365 * kDay,
     "Wall-clock limit of a run that asks for none; 0: none."},
    {"run.max_timeout_s", "s", &own<&P::run, &RunConfig::timeout_max>, kDay, 0.01, 365 * kDay,
     "The longest wall-clock limit a run may ask for; not below run.timeout_s."},
    {"run.grace_s", "s", &own<&P::run, &RunConfig::grace>, 1, 0, 3600,
     "How long an interrupted run may take to end before its worker is killed; 0: killed at once."},
    {"run.output_bytes", "bytes", &own<&P::run, &RunConfig::output_bytes>, 64 * kMi, 1, kTi,
     "Output limit of a run that asks for none; holds for the policies truncate and stop."},
    {"run.max_output_bytes", "bytes", &own<&P::run, &RunConfig::output_bytes_max>, 16 * 1024 * kMi, 1, kTi,
     "The largest output limit a run may ask for; not below run.output_bytes."},
    {"run.output_policy", "", &own<&P::run, &RunConfig::output_policy>, "block", 0, 0,
     "What happens to much output: block makes print wait for a slow reader, truncate drops and counts what is past "
     "the limit, stop ends the run there.", kOutputPolicyWords},
    {"run.recorded", "", &own<&P::run, &RunConfig::recorded>, "all", 0, 0,
     "What the record of a run keeps of its content: its code, file name and arguments, its output and results, or only "
     "facts. Without code, exceptions of a program's own classes have no name there.",
     kRecordedWords},
    {"run.recorded_output_bytes", "bytes", &own<&P::run, &RunConfig::recorded_output_bytes>, kMi, 0, 1024 * kMi,
     "The first so many bytes of each of stdout and stderr are recorded; what follows is counted."},
    {"run.slow_after_s", "s", &own<&P::run, &RunConfig::slow_after>, 60, 0, 365 * kDay,
     "A run that lasts longer is logged and counted, and its record gets the Python stack of that moment; 0: never."},
    {"run.inspect", "", &own<&P::run, &RunConfig::inspect>, "names", 0, 0,
     "What inspect shows of a session's namespace, besides types and sizes: the names, keyed hashes of them, or nothing "
     "of it.", kInspectWords},

    {"worker.heartbeat_interval_s", "s", &own<&P::worker, &WorkerConfig::heartbeat_interval>, 5, 0.05, 600,
     "How often each worker sends a heartbeat, whatever Python does."},
    {"worker.suspect_after", "beats", &own<&P::worker, &WorkerConfig::suspect_after>, 2, 1, 1000,
     "A worker is suspect after so many missed heartbeats in a row."},
    {"worker.lost_after", "beats", &own<&P::worker, &WorkerConfig::lost_after>, 3, 2, 1001,
     "A worker is killed and its run is worker_lost after so many; more than worker.suspect_after."},

    {"limits.memory_bytes", "bytes", &own<&P::limits, &LimitsConfig::memory_bytes>, 2048 * kMi, 64 * kMi, kTi,
     "Memory of a capsule at most; the program of a run that passes it is killed (out_of_memory)."},
    {"limits.memory_soft_bytes", "bytes", &own<&P::limits, &LimitsConfig::memory_soft_bytes>, 0, 0, kTi,
     "What a program may allocate on its own heap before it gets MemoryError; 0: seven eighths of limits.memory_bytes."},
    {"limits.cpu_s", "s", &own<&P::limits, &LimitsConfig::cpu>, 0, 0, 365 * kDay,
     "Processor time of a run and all it starts at most (cpu_limit); 0: none."},
    {"limits.processes", "tasks", &own<&P::limits, &LimitsConfig::processes>, 64, 8, 32768,
     "Processes and threads of the programs in a capsule at most; Capsule's own few come on top."},
    {"limits.open_files", "files", &own<&P::limits, &LimitsConfig::open_files>, 256, 32, 65536,
     "Open files of each process in a capsule at most."},
    {"limits.tmp_bytes", "bytes", &own<&P::limits, &LimitsConfig::tmp_bytes>, 64 * kMi, kMi, kTi,
     "Size of a capsule's private /tmp."},
    {"limits.shm_bytes", "bytes", &own<&P::limits, &LimitsConfig::shm_bytes>, 64 * kMi, kMi, kTi,
     "Size of a capsule's private /dev/shm."},

    {"sandbox.floor", "", &own<&P::sandbox, &SandboxConfig::floor>, "standard", 0, 0,
     "How much of the sandbox must hold, or nothing starts: strict is every layer, standard own namespaces, seccomp and "
     "files kept apart, degraded works without namespaces, unsafe takes anything.", kFloorWords},
    {"sandbox.namespaces", "", &own<&P::sandbox, &SandboxConfig::namespaces>, "auto", 0, 0,
     "Namespaces of their own for capsules: auto takes what the kernel allows and reports the rest, off takes none.",
     kNamespaceWords},
    {"sandbox.cgroup", "", &own<&P::sandbox, &SandboxConfig::cgroup>, "auto", 0, 0,
     "Control groups of their own for capsules: auto takes what can be had and reports the rest, v2 and v1 take only "
     "that version, off takes none: memory is then watched by sampling.", kCgroupWords},
    {"sandbox.workspace_bytes", "bytes", &own<&P::sandbox, &SandboxConfig::workspace_bytes>, 256 * kMi, kMi, kTi,
     "Size of a capsule's private workspace."},
    {"sandbox.workspace_files", "files", &own<&P::sandbox, &SandboxConfig::workspace_files>, 10000, 16, 1e8,
     "Files and directories in a capsule's private workspace at most."},

    {"sessions.max", "sessions", &one<&Config::sessions, &SessionsConfig::max>, 256, 1, 10000,
     "Open sessions of all users at most."},
    {"sessions.idle_timeout_s", "s", &one<&Config::sessions, &SessionsConfig::idle_timeout>, 3600, 0, 365 * kDay,
     "A session that runs nothing for so long is closed, unless it was made with a time of its own; 0: never."},
    {"sessions.finished_runs_kept", "runs", &one<&Config::sessions, &SessionsConfig::finished_runs_kept>, 100, 0, 10000,
     "The latest finished runs of all users that info and ps still show."},

    {"sessions.rollback", "", &one<&Config::sessions, &SessionsConfig::rollback>, "idle", 0, 0,
     "When a session that asks for nothing else takes a snapshot to go back to: before each run, once it is idle, or "
     "never.", kRollbackWords},
    {"sessions.snapshots", "snapshots", &one<&Config::sessions, &SessionsConfig::snapshots>, 4, 1, 64,
     "Snapshots that one session keeps for undo, the oldest goes first; each is a parked process."},
    {"sessions.checkpoints", "checkpoints", &one<&Config::sessions, &SessionsConfig::checkpoints>, 8, 0, 64,
     "Live checkpoints that one session may have."},
    {"sessions.fork_standby_s", "s", &one<&Config::sessions, &SessionsConfig::fork_standby>, 60, 0, kDay,
     "After a fork of a session one more is made in advance and kept for so long, for the next request; 0: none is."},
    {"sessions.fork_standby_of", "", &one<&Config::sessions, &SessionsConfig::fork_standby_of>, "forked", 0, 0,
     "Of which sessions: those that were forked already, or all that have run something. The first fork is there at once "
     "too, then; each rest of one of up to eight sessions costs a fork, used or not.", kForkStandbyWords},

    {"queue.capacity", "runs", &one<&Config::queue, &QueueConfig::capacity>, 1024, 1, 16384,
     "Queued runs of all clients at most; more are rejected."},
    {"queue.per_client", "runs", &one<&Config::queue, &QueueConfig::per_client>, 256, 1, 16384,
     "Queued runs of one connection at most; more are rejected."},
    {"queue.max_running", "runs", &one<&Config::queue, &QueueConfig::max_running>, 0, 0, 16384,
     "Runs under way at the same time at most, over all profiles; 0: the pools decide."},
    {"queue.code_bytes", "bytes", &one<&Config::queue, &QueueConfig::code_bytes>, 512 * kMi, kMi, kTi,
     "Code and arguments of all queued runs together; more are rejected."},

    {"files.upload_bytes", "bytes", &one<&Config::files, &FilesConfig::upload_bytes>, 64 * kMi, 4096, 1024 * kMi,
     "Files that one upload may have together; they are held in the manager's memory until a run or session takes them."},
    {"files.upload_files", "files", &one<&Config::files, &FilesConfig::upload_files>, 1000, 1, 100000,
     "Files of one upload at most."},
    {"files.uploads", "uploads", &one<&Config::files, &FilesConfig::uploads>, 64, 1, 1024,
     "Uploads of all clients that wait for their runs at most."},
    {"files.uploads_total_bytes", "bytes", &one<&Config::files, &FilesConfig::uploads_total_bytes>, 512 * kMi, 4096, kTi,
     "Bytes of all uploads that wait for their runs at most."},
    {"files.file_bytes", "bytes", &one<&Config::files, &FilesConfig::file_bytes>, 1024 * kMi, 1, kTi,
     "The largest file that is read out of a workspace; larger ones are skipped, before a byte is read."},
    {"files.list_entries", "files", &one<&Config::files, &FilesConfig::list_entries>, 4000, 1, 4096,
     "Files that one listing of a workspace may have, skipped ones included."},
    {"files.list_looks", "names", &one<&Config::files, &FilesConfig::list_looks>, 100000, 16, 1e7,
     "Names that one listing looks at before it gives up."},
    {"files.list_timeout_s", "s", &one<&Config::files, &FilesConfig::list_timeout>, 0.25, 0.01, 10,
     "How long one listing may take; everything else waits meanwhile."},
    {"files.holds", "runs", &one<&Config::files, &FilesConfig::holds>, 64, 1, 1024,
     "Ended runs whose files are kept for their clients to fetch at most; the one unused for longest goes first."},
    {"files.hold_timeout_s", "s", &one<&Config::files, &FilesConfig::hold_timeout>, 60, 0.05, 3600,
     "How long the files of an ended run are kept after they were last asked for."},

    {"checkpoints.max_per_uid", "checkpoints", &one<&Config::checkpoints, &CheckpointsConfig::max_per_uid>, 100, 0,
     10000, "Durable checkpoints that one user may have; 0: none can be made."},
    {"checkpoints.quota_bytes", "bytes", &one<&Config::checkpoints, &CheckpointsConfig::quota_bytes>, 8192 * kMi, 4096,
     kTi, "Size of all durable checkpoints of one user together, as they are on the disk."},
    {"checkpoints.max_bytes", "bytes", &one<&Config::checkpoints, &CheckpointsConfig::max_bytes>, 4096 * kMi, 4096, kTi,
     "Size of one durable checkpoint before it is compressed; names that do not fit are left out."},
    {"checkpoints.timeout_s", "s", &one<&Config::checkpoints, &CheckpointsConfig::timeout>, 60, 0.1, 3600,
     "How long a copy of a session may take to write a durable checkpoint; names it does not get to are left out."},
    {"checkpoints.stall_timeout_s", "s", &one<&Config::checkpoints, &CheckpointsConfig::stall_timeout>, 10, 0.1, 3600,
     "A name of which nothing comes for so long is left out."},

    {"records.max_runs", "runs", &one<&Config::records, &RecordsConfig::max_runs>, 10000, 0, 1e7,
     "Records of runs that are kept, the oldest goes first; 0: nothing is recorded."},
    {"records.max_age_s", "s", &one<&Config::records, &RecordsConfig::max_age>, 30 * kDay, 1, 3650 * kDay,
     "How long the record of a run is kept."},
    {"records.max_bytes", "bytes", &one<&Config::records, &RecordsConfig::max_bytes>, 2048 * kMi, kMi, kTi,
     "Size of all records together."},

    {"audit.file_bytes", "bytes", &one<&Config::audit, &AuditConfig::file_bytes>, 64 * kMi, 0, kTi,
     "The audit log goes on in a new file once one has so many bytes; 0: there is none."},
    {"audit.decision_file_bytes", "bytes", &one<&Config::audit, &AuditConfig::decision_file_bytes>, 64 * kMi, 0, kTi,
     "The same for the log of what admission decided."},
    {"audit.files", "files", &one<&Config::audit, &AuditConfig::files>, 8, 1, 10000,
     "Full files of each of the two that are kept; the oldest go."},

    {"trace.otlp_endpoint", "", &one<&Config::trace, &TraceConfig::otlp_endpoint>, "", 0, kTextBytes,
     "URL of an OpenTelemetry collector, such as http://127.0.0.1:4318, that gets the spans of runs (OTLP/HTTP, JSON); "
     "empty: OTEL_EXPORTER_OTLP_ENDPOINT, else none."},
    {"trace.otlp_headers_file", "", &one<&Config::trace, &TraceConfig::otlp_headers_file>, "", 0, kTextBytes,
     "File with headers for it, name=value one a line; empty: OTEL_EXPORTER_OTLP_HEADERS, else none."},
    {"trace.otlp_timeout_s", "s", &one<&Config::trace, &TraceConfig::otlp_timeout>, 10, 0.05, 600,
     "How long the collector may take for one request before it is tried again."},
    {"trace.file_bytes", "bytes", &one<&Config::trace, &TraceConfig::file_bytes>, 16 * kMi, 0, kTi,
     "The file of spans, traces/traces.jsonl below the state directory, goes on in a new one once it has so many bytes; "
     "0: there is none."},
    {"trace.files", "files", &one<&Config::trace, &TraceConfig::files>, 4, 1, 1000,
     "Files of spans that are kept, the one that is written to included; the oldest go."},

    {"metrics.user_names", "names", &one<&Config::metrics, &MetricsConfig::user_names>, 8, 0, 1000,
     "Names that programs' own figures may have, of all users together; 0: none are taken."},
    {"metrics.user_series", "series", &one<&Config::metrics, &MetricsConfig::user_series>, 16, 0, 10000,
     "Series of programs' own figures, one for each name and its labels, of all users together."},

    {"client.max_connections", "connections", &one<&Config::client, &ClientConfig::max_connections>, 256, 1, 10000,
     "Client connections at most; more are refused."},
    {"client.max_connections_per_uid", "connections",
     &one<&Config::client, &ClientConfig::max_connections_per_uid>, 128, 0, 10000,
     "Connections of one user at most; more are refused; 0: no limit."},
    {"client.max_queued_per_uid", "runs", &one<&Config::client, &ClientConfig::max_queued_per_uid>, 512, 0, 16384,
     "Queued runs of one user at most, over all its connections; more are rejected; 0: no limit."},
    {"client.max_uid_code_bytes", "bytes", &one<&Config::client, &ClientConfig::max_uid_code_bytes>, 128 * kMi, 0, kTi,
     "Code and arguments of the queued runs of one user together; more are rejected; 0: no limit."},
    {"client.max_sessions_per_uid", "sessions", &one<&Config::client, &ClientConfig::max_sessions_per_uid>, 128, 0, 10000,
     "Open sessions of one user at most; 0: no limit."},
    {"client.max_workers_per_uid", "workers", &one<&Config::client, &ClientConfig::max_workers_per_uid>, 0, 0, 16384,
     "Workers that the runs and sessions of one user may hold; a run beyond waits, as it does for the pool; 0: no limit."},
    {"client.max_crashes_per_minute_per_uid", "crashes",
     &one<&Config::client, &ClientConfig::max_crashes_per_minute_per_uid>, 1000, 0, 100000,
     "Runs of one user that may crash within a minute before its runs are rejected; 0: no limit."},
    {"client.frames_per_s", "frames/s", &one<&Config::client, &ClientConfig::frames_per_s>, 2000, 0, 1e7,
     "Frames that one connection may send in the long run before reading from it pauses; 0: no limit."},
    {"client.frame_burst", "frames", &one<&Config::client, &ClientConfig::frame_burst>, 4000, 1, 1e7,
     "Frames that may come at once before that."},
    {"client.bytes_per_s", "bytes/s", &one<&Config::client, &ClientConfig::bytes_per_s>, 256 * kMi, 0, kTi,
     "Bytes that one connection may send in the long run before reading from it pauses; 0: no limit."},
    {"client.byte_burst", "bytes", &one<&Config::client, &ClientConfig::byte_burst>, 256 * kMi, 4096, kTi,
     "Bytes that may come at once before that."},
    {"client.send_buffer_bytes", "bytes", &one<&Config::client, &ClientConfig::send_buffer_bytes>, 4 * kMi, 65536,
     1024 * kMi,
     "Output kept for a client that does not take it; past this its runs' pipes are no longer read, at twice as "
     "much its requests are refused."},
    {"client.hello_timeout_s", "s", &one<&Config::client, &ClientConfig::hello_timeout>, 10, 0.05, 600,
     "A connection that has not said hello after so long is closed."},
    {"client.partial_frame_timeout_s", "s", &one<&Config::client, &ClientConfig::partial_frame_timeout>, 30, 0.05, 3600,
     "A connection that takes longer than this to send one whole frame is closed."},
    {"client.stalled_timeout_s", "s", &one<&Config::client, &ClientConfig::stalled_timeout>, 600, 0.05, kDay,
     "A client that takes nothing of its output for so long is closed."},

    {"server.socket", "", &one<&Config::server, &ServerConfig::socket>, "", 0, kSocketPathBytes,
     "Path of the Unix socket; empty: the usual place of the user or of the system."},
    {"server.socket_group", "", &one<&Config::server, &ServerConfig::socket_group>, "", 0, 64,
     "A group whose members may use the socket too (mode 0660); empty: the owner only (0600)."},
    {"server.http", "", &one<&Config::server, &ServerConfig::http>, "", 0, 256,
     "Loopback address of the metrics listener, such as 127.0.0.1:9123; empty: none."},
    {"server.http_socket", "", &one<&Config::server, &ServerConfig::http_socket>, "", 0, kSocketPathBytes,
     "Path of a Unix socket (0600) for the same as server.http; empty: none."},
    {"server.state_dir", "", &one<&Config::server, &ServerConfig::state_dir>, "", 0, kTextBytes,
     "Directory for what must outlive the manager; empty: the usual place."},
    {"server.private_idle_exit_s", "s", &one<&Config::server, &ServerConfig::private_idle_exit>, 60, 0.05, kDay,
     "A private manager ends after so long without clients, runs and sessions."},
    {"server.drain_timeout_s", "s", &one<&Config::server, &ServerConfig::drain_timeout>, 30, 0, kDay,
     "How long a shutdown waits for runs and durable checkpoints under way before it aborts them."},
    {"server.log_level", "", &one<&Config::server, &ServerConfig::log_level>, "info", 0, 16,
     "The least important records that are logged.", kLogWords},
    {"server.worker_uid_base", "uid", &one<&Config::server, &ServerConfig::worker_uid_base>, 61000, 1000, 4e9,
     "Where the manager is root: the first of the user ids that capsules get, each one of its own."},
    {"server.worker_uid_count", "users", &one<&Config::server, &ServerConfig::worker_uid_count>, 4000, 0, 1e6,
     "How many there are; 0: all capsules share one user, 60999."},
    {"server.spin_us", "us", &one<&Config::server, &ServerConfig::spin_us>, 100, 0, 1000,
     "How long the manager looks for the next event before it sleeps, where that has paid off of late; 0: never."},
};
// clang-format on

}  // namespace

std::span<const Knob> all_knobs() { return kTable; }

}  // namespace capsule

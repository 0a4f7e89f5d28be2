// The fields of each message, once, for both directions of the codec. A visitor is called with (name, member, need).
// Private to the codec.
#pragma once

#include "protocol/message.h"

namespace capsule::fields {

enum class Need { kRequired, kOptional };
using enum Need;

template <class V>
void visit(V& v, Layer& m) {
  v("name", m.name, kRequired);
  v("state", m.state, kRequired);
  v("detail", m.detail, kOptional);
}
template <class V>
void visit(V& v, Mount& m) {
  v("source", m.source, kRequired);
  v("target", m.target, kRequired);
}
template <class V>
void visit(V& v, Hello& m) {
  v("version", m.version, kRequired);
  v("role", m.role, kRequired);
  v("software", m.software, kOptional);
  v("features", m.features, kOptional);
  v("python", m.python, kOptional);
  v("profile", m.profile, kOptional);
  v("layers", m.layers, kOptional);
  v("timings_us", m.timings_us, kOptional);
  v("failure", m.failure, kOptional);
  v("not_captured", m.not_captured, kOptional);
}
template <class V>
void visit(V& v, Prepare& m) {
  v("id", m.id, kRequired);
  v("profile", m.profile, kRequired);
  v("preload", m.preload, kOptional);
  v("environment", m.environment, kOptional);
  v("namespaces", m.namespaces, kRequired);
  v("heartbeat_ms", m.heartbeat_ms, kRequired);
  v("workspace_bytes", m.workspace_bytes, kRequired);
  v("workspace_files", m.workspace_files, kRequired);
  v("network", m.network, kRequired);
  v("subprocess", m.subprocess, kRequired);
  v("mounts", m.mounts, kOptional);
  v("packages", m.packages, kOptional);
  v("tmp_bytes", m.tmp_bytes, kOptional);
  v("shm_bytes", m.shm_bytes, kOptional);
  v("memory_soft_bytes", m.memory_soft_bytes, kOptional);
  v("processes", m.processes, kOptional);
  v("open_files", m.open_files, kOptional);
  v("own_users", m.own_users, kOptional);
}
template <class V>
void visit(V& v, Branch& m) {
  v("id", m.id, kRequired);
  v("name", m.name, kOptional);
  v("workspace", m.workspace, kOptional);
  v("uid", m.uid, kOptional);
  v("awaited", m.awaited, kOptional);
  v("nested", m.nested, kOptional);
  v("ahead", m.ahead, kOptional);
}
template <class V>
void visit(V& v, Expect& m) {
  v("pid", m.pid, kRequired);
  v("nested", m.nested, kOptional);
  v("withdrawn", m.withdrawn, kOptional);
}
template <class V>
void visit(V& v, Snapshot& m) {
  v("id", m.id, kRequired);
  v("pid", m.pid, kRequired);
}
template <class V>
void visit(V&, Nested&) {}
template <class V>
void visit(V& v, Wake& m) {
  v("name", m.name, kOptional);
  v("fresh", m.fresh, kOptional);
}
template <class V>
void visit(V& v, Mapped& m) {
  v("failure", m.failure, kOptional);
}
template <class V>
void visit(V& v, Branched& m) {
  v("re", m.re, kRequired);
  v("pid", m.pid, kOptional);
  v("failure", m.failure, kOptional);
  v("took_us", m.took_us, kOptional);
  v("not_captured", m.not_captured, kOptional);
}
template <class V>
void visit(V& v, Exited& m) {
  v("pid", m.pid, kRequired);
  v("status", m.status, kRequired);
  v("user_us", m.user_us, kOptional);
  v("system_us", m.system_us, kOptional);
  v("max_rss_bytes", m.max_rss_bytes, kOptional);
  v("minor_faults", m.minor_faults, kOptional);
  v("major_faults", m.major_faults, kOptional);
  v("self_sent_signal", m.self_sent_signal, kOptional);
}
template <class V>
void visit(V& v, Sweep& m) {
  v("id", m.id, kRequired);
  v("wake", m.wake, kOptional);
}
template <class V>
void visit(V& v, Resize& m) {
  v("id", m.id, kRequired);
  v("workspace_bytes", m.workspace_bytes, kOptional);
  v("workspace_files", m.workspace_files, kOptional);
}
template <class V>
void visit(V& v, Metric& m) {
  v("run_id", m.run_id, kOptional);
  v("name", m.name, kRequired);
  v("kind", m.kind, kRequired);
  v("value", m.value, kOptional);
  v("labels", m.labels, kOptional);
}
template <class V>
void visit(V& v, Heartbeat& m) {
  v("seq", m.seq, kRequired);
  v("rss_bytes", m.rss_bytes, kOptional);
  v("cpu_percent", m.cpu_percent, kOptional);
  v("threads", m.threads, kOptional);
  v("namespace_names", m.namespace_names, kOptional);
  v("uptime_ms", m.uptime_ms, kOptional);
}
template <class V>
void visit(V& v, Execute& m) {
  v("id", m.id, kOptional);
  v("run_id", m.run_id, kOptional);
  v("session", m.session, kOptional);
  v("profile", m.profile, kOptional);
  v("mode", m.mode, kRequired);
  v("filename", m.filename, kOptional);
  v("arguments", m.arguments, kOptional);
  v("standard_input", m.standard_input, kOptional);
  v("timeout_ms", m.timeout_ms, kOptional);
  v("output_bytes", m.output_bytes, kOptional);
  v("output_policy", m.output_policy, kOptional);
  v("cpu_ms", m.cpu_ms, kOptional);
  v("memory_bytes", m.memory_bytes, kOptional);
  v("require", m.require, kOptional);
  v("environment", m.environment, kOptional);
  v("upload", m.upload, kOptional);
  v("artifacts", m.artifacts, kOptional);
  v("rollback", m.rollback, kOptional);
  v("processes", m.processes, kOptional);
  v("open_files", m.open_files, kOptional);
  v("workspace_bytes", m.workspace_bytes, kOptional);
  v("workspace_files", m.workspace_files, kOptional);
  v("request_id", m.request_id, kOptional);
  v("traceparent", m.traceparent, kOptional);
  v("code", m.code, kRequired);
}
template <class V>
void visit(V& v, Accepted& m) {
  v("re", m.re, kRequired);
  v("run_id", m.run_id, kRequired);
  v("queued_before", m.queued_before, kOptional);
  v("request_id", m.request_id, kOptional);
  v("traceparent", m.traceparent, kOptional);
}
template <class V>
void visit(V& v, Started& m) {
  v("run_id", m.run_id, kRequired);
  v("queue_us", m.queue_us, kOptional);
  v("lease", m.lease, kOptional);
}
template <class V>
void visit(V& v, Output& m) {
  v("run_id", m.run_id, kRequired);
  v("stream", m.stream, kRequired);
  v("seq", m.seq, kOptional);
  v("offset", m.offset, kOptional);
  v("late", m.late, kOptional);
  v("data", m.data, kRequired);
}
template <class V>
void visit(V& v, Input& m) {
  v("run_id", m.run_id, kRequired);
  v("eof", m.eof, kOptional);
  v("data", m.data, kOptional);
}
template <class V>
void visit(V& v, Credit& m) {
  v("run_id", m.run_id, kRequired);
  v("bytes", m.bytes, kRequired);
}
template <class V>
void visit(V& v, Display& m) {
  v("id", m.id, kOptional);
  v("run_id", m.run_id, kRequired);
  v("display_id", m.display_id, kOptional);
  v("update", m.update, kOptional);
  v("data", m.data, kRequired);
  v("metadata_json", m.metadata_json, kOptional);
}
template <class V>
void visit(V& v, ResultValue& m) {
  v("run_id", m.run_id, kRequired);
  v("execution_count", m.execution_count, kOptional);
  v("data", m.data, kRequired);
  v("metadata_json", m.metadata_json, kOptional);
}
template <class V>
void visit(V& v, RaisedError& m) {
  v("name", m.name, kRequired);
  v("value", m.value, kOptional);
  v("traceback", m.traceback, kOptional);
}
template <class V>
void visit(V& v, OutputCount& m) {
  v("stdout_bytes", m.stdout_bytes, kOptional);
  v("stderr_bytes", m.stderr_bytes, kOptional);
  v("enqueued_bytes", m.enqueued_bytes, kOptional);
  v("dropped_bytes", m.dropped_bytes, kOptional);
  v("chunks", m.chunks, kOptional);
  v("deepest_queue_bytes", m.deepest_queue_bytes, kOptional);
  v("pending_bytes", m.pending_bytes, kOptional);
}
template <class V>
void visit(V& v, Rollback& m) {
  v("snapshot", m.snapshot, kOptional);
  v("took_us", m.took_us, kOptional);
  v("lost_runs", m.lost_runs, kOptional);
  v("not_captured", m.not_captured, kOptional);
}
template <class V>
void visit(V& v, Fallback& m) {
  v("snapshot", m.snapshot, kOptional);
  v("lost_runs", m.lost_runs, kOptional);
  v("lost_run_count", m.lost_run_count, kOptional);
  v("refused", m.refused, kOptional);
}
template <class V>
void visit(V& v, Evidence& m) {
  v("signal", m.signal, kOptional);
  v("exit_code", m.exit_code, kOptional);
  v("limit", m.limit, kOptional);
  v("rung", m.rung, kOptional);
  v("detail", m.detail, kOptional);
  v("last_output", m.last_output, kOptional);
  v("stack", m.stack, kOptional);
  v("stack_missing", m.stack_missing, kOptional);
  v("oom_kills", m.oom_kills, kOptional);
  v("session_state", m.session_state, kOptional);
  v("rollback", m.rollback, kOptional);
  v("fallback", m.fallback, kOptional);
  v("layers", m.layers, kOptional);
  v("output", m.output, kOptional);
  v("namespace_names", m.namespace_names, kOptional);
  v("late_interrupts", m.late_interrupts, kOptional);
  v("left_threads", m.left_threads, kOptional);
  v("awaited", m.awaited, kOptional);
  v("blocking_calls", m.blocking_calls, kOptional);
  v("retry", m.retry, kOptional);
}
template <class V>
void visit(V& v, Usage& m) {
  v("wall_us", m.wall_us, kOptional);
  v("cpu_user_us", m.cpu_user_us, kOptional);
  v("cpu_system_us", m.cpu_system_us, kOptional);
  v("queue_us", m.queue_us, kOptional);
  v("peak_memory_bytes", m.peak_memory_bytes, kOptional);
  v("minor_faults", m.minor_faults, kOptional);
  v("major_faults", m.major_faults, kOptional);
}
template <class V>
void visit(V& v, Finished& m) {
  v("run_id", m.run_id, kRequired);
  v("verdict", m.verdict, kRequired);
  v("exit_status", m.exit_status, kOptional);
  v("error", m.error, kOptional);
  v("evidence", m.evidence, kOptional);
  v("usage", m.usage, kOptional);
}
template <class V>
void visit(V& v, Cancel& m) {
  v("id", m.id, kOptional);
  v("run_id", m.run_id, kRequired);
}
template <class V>
void visit(V& v, Stack& m) {
  v("id", m.id, kOptional);
  v("run_id", m.run_id, kRequired);
  v("text", m.text, kOptional);
}
template <class V>
void visit(V& v, Checkpoint& m) {
  v("id", m.id, kRequired);
  v("leave_out", m.leave_out, kOptional);
  v("timeout_ms", m.timeout_ms, kOptional);
  v("stall_timeout_ms", m.stall_timeout_ms, kOptional);
  v("bytes_max", m.bytes_max, kOptional);
}
template <class V>
void visit(V& v, Restore& m) {
  v("id", m.id, kRequired);
}
template <class V>
void visit(V& v, Report& m) {
  v("re", m.re, kRequired);
  v("json", m.json, kOptional);
  v("failure", m.failure, kOptional);
}
template <class V>
void visit(V& v, SessionLimits& m) {
  v("timeout_ms", m.timeout_ms, kOptional);
  v("cpu_ms", m.cpu_ms, kOptional);
  v("memory_bytes", m.memory_bytes, kOptional);
  v("output_bytes", m.output_bytes, kOptional);
  v("processes", m.processes, kOptional);
  v("open_files", m.open_files, kOptional);
  v("workspace_bytes", m.workspace_bytes, kOptional);
  v("workspace_files", m.workspace_files, kOptional);
}
template <class V>
void visit(V& v, SessionRequest& m) {
  v("id", m.id, kRequired);
  v("operation", m.operation, kRequired);
  v("session", m.session, kOptional);
  v("profile", m.profile, kOptional);
  v("idle_timeout_ms", m.idle_timeout_ms, kOptional);
  v("limits", m.limits, kOptional);
  v("secrets", m.secrets, kOptional);
  v("rollback", m.rollback, kOptional);
  v("count", m.count, kOptional);
  v("checkpoint", m.checkpoint, kOptional);
  v("source", m.source, kOptional);
  v("durable", m.durable, kOptional);
  v("with_code", m.with_code, kOptional);
  v("notes", m.notes, kOptional);
  v("request_id", m.request_id, kOptional);
}
template <class V>
void visit(V& v, InfoRequest& m) {
  v("id", m.id, kRequired);
  v("sections", m.sections, kOptional);
}
template <class V>
void visit(V& v, Document& m) {
  v("re", m.re, kRequired);
  v("json", m.json, kRequired);
}
template <class V>
void visit(V& v, FilePut& m) {
  v("id", m.id, kRequired);
  v("upload", m.upload, kRequired);
  v("path", m.path, kRequired);
  v("executable", m.executable, kOptional);
  v("data", m.data, kOptional);
}
template <class V>
void visit(V& v, FileStore& m) {
  v("id", m.id, kRequired);
  v("upload", m.upload, kRequired);
  v("session", m.session, kRequired);
}
template <class V>
void visit(V& v, FileList& m) {
  v("id", m.id, kRequired);
  v("run_id", m.run_id, kOptional);
  v("session", m.session, kOptional);
  v("path", m.path, kOptional);
}
template <class V>
void visit(V& v, FileEntry& m) {
  v("path", m.path, kRequired);
  v("bytes", m.bytes, kOptional);
  v("executable", m.executable, kOptional);
  v("skipped", m.skipped, kOptional);
}
template <class V>
void visit(V& v, FileListing& m) {
  v("re", m.re, kRequired);
  v("entries", m.entries, kOptional);
  v("incomplete", m.incomplete, kOptional);
}
template <class V>
void visit(V& v, FileGet& m) {
  v("id", m.id, kRequired);
  v("run_id", m.run_id, kOptional);
  v("session", m.session, kOptional);
  v("checkpoint", m.checkpoint, kOptional);
  v("path", m.path, kOptional);
  v("offset", m.offset, kOptional);
}
template <class V>
void visit(V& v, FileData& m) {
  v("re", m.re, kRequired);
  v("bytes", m.bytes, kOptional);
  v("version", m.version, kOptional);
  v("executable", m.executable, kOptional);
  v("data", m.data, kOptional);
}
template <class V>
void visit(V& v, CheckpointPut& m) {
  v("id", m.id, kRequired);
  v("name", m.name, kRequired);
  v("offset", m.offset, kOptional);
  v("last", m.last, kOptional);
  v("data", m.data, kOptional);
}
template <class V>
void visit(V& v, RecordRequest& m) {
  v("id", m.id, kRequired);
  v("operation", m.operation, kRequired);
  v("run_id", m.run_id, kOptional);
  v("stream", m.stream, kOptional);
  v("offset", m.offset, kOptional);
  v("count", m.count, kOptional);
}
template <class V>
void visit(V& v, RecordData& m) {
  v("re", m.re, kRequired);
  v("bytes", m.bytes, kOptional);
  v("unrecorded_bytes", m.unrecorded_bytes, kOptional);
  v("finished", m.finished, kOptional);
  v("data", m.data, kOptional);
}
template <class V>
void visit(V& v, TraceRequest& m) {
  v("id", m.id, kRequired);
  v("run_id", m.run_id, kRequired);
}
template <class V>
void visit(V& v, Inspect& m) {
  v("id", m.id, kRequired);
  v("session", m.session, kOptional);
  v("hashed", m.hashed, kOptional);
}
template <class V>
void visit(V& v, Tap& m) {
  v("id", m.id, kRequired);
  v("session", m.session, kRequired);
  v("on", m.on, kOptional);
}
template <class V>
void visit(V& v, Tapped& m) {
  v("session", m.session, kRequired);
  v("seq", m.seq, kOptional);
  v("wall_us", m.wall_us, kOptional);
  v("direction", m.direction, kRequired);
  v("kind", m.kind, kRequired);
  v("bytes", m.bytes, kOptional);
  v("run_id", m.run_id, kOptional);
}
template <class V>
void visit(V& v, FileDone& m) {
  v("id", m.id, kRequired);
  v("run_id", m.run_id, kRequired);
}
template <class V>
void visit(V& v, Ping& m) {
  v("id", m.id, kRequired);
  v("execute", m.execute, kOptional);
}
template <class V>
void visit(V& v, Ack& m) {
  v("re", m.re, kRequired);
  v("detail", m.detail, kOptional);
}
template <class V>
void visit(V& v, Shutdown& m) {
  v("reason", m.reason, kOptional);
}
template <class V>
void visit(V& v, ErrorReply& m) {
  v("re", m.re, kOptional);
  v("code", m.code, kRequired);
  v("message", m.message, kRequired);
}

}  // namespace capsule::fields

#include "manager/storage/run_recording.h"

#include <algorithm>

#include "base/digest.h"
#include "manager/observe/trace_lines.h"
#include "manager/schedule/run.h"
#include "manager/storage/builtin_errors.h"
#include "manager/storage/record_note.h"
#include "protocol/codec.h"

namespace capsule {
namespace {

std::string frame_of(NoteKind kind, NoteWriter& note) {
  return encode_frame(Ack{static_cast<uint64_t>(kind), note.take()});
}

std::string layers_text(const std::vector<Layer>& layers) {
  std::string text;
  for (const Layer& layer : layers) text += (text.empty() ? "" : " ") + layer.name + "=" + layer.state;
  return text;
}

size_t size_of(const Bundle& bundle) {
  size_t bytes = 0;
  for (const auto& [mime, data] : bundle) bytes += mime.size() + data.value.size();
  return bytes;
}

}  // namespace

RunRecording::RunRecording(std::shared_ptr<RecordSink> sink, const RunSettings& settings)
    : sink_(std::move(sink)),
      mask_(settings.secrets),
      records_code_(settings.recorded == RecordedContent::kAll || settings.recorded == RecordedContent::kCode),
      records_output_(settings.recorded == RecordedContent::kAll || settings.recorded == RecordedContent::kOutput),
      output_bytes_max_(settings.recorded_output_bytes) {}

Result<std::shared_ptr<RunRecording>> RunRecording::begin(std::shared_ptr<RecordSink> sink, Run& run,
                                                          const RunSettings& settings, const ProfileFacts& profile) {
  std::shared_ptr<RunRecording> recording(new RunRecording(std::move(sink), settings));
  if (const Status accepted = recording->accept(run, settings, profile); !accepted) {
    return tl::unexpected<Error>(accepted.error());
  }
  return recording;
}

std::string RunRecording::masked(std::string text) const {
  if (!mask_.empty()) mask_.apply(text);
  return text;
}

Status RunRecording::accept(Run& run, const RunSettings& settings, const ProfileFacts& profile) {
  run_id_ = run.id;
  const std::string& code = run.request.code.value;
  const bool records_code = records_code_ && code.size() <= kRecordedCodeBytes;
  NoteWriter note;
  note.text("run_id", run.id).number("uid", run.uid).number("client", run.client);
  const TraceContext& trace = run.trace.context;
  note.text("request_id", run.request_id).text("trace_id", trace.trace_id).text("span_id", trace.span_id);
  if (!trace.parent_id.empty()) note.text("parent_span_id", trace.parent_id);
  note.number("created_ms", run.created_wall_ms).text("profile", run.profile).text("python", profile.python);
  note.number("code_bytes", code.size());
  if (!records_code || code.empty() || !mask_.empty()) {  // else whoever reads the code can tell
    Sha256 hash;
    hash.add(code);
    note.text("code_sha256", hex_text(hash.finish()));
  }
  note.number("timeout_ms", to_milliseconds(settings.limits.timeout));
  note.number("grace_ms", to_milliseconds(settings.limits.grace));
  note.number("cpu_ms", to_milliseconds(settings.limits.cpu));
  note.number("memory_bytes", settings.limits.memory_bytes).number("output_bytes", settings.limits.output_bytes);
  note.number("processes", settings.bounds.processes).number("open_files", settings.bounds.open_files);
  note.number("workspace_bytes", settings.bounds.workspace.bytes);
  note.number("workspace_files", settings.bounds.workspace.files);
  note.text("output_policy", to_string(settings.output_policy)).text("recorded", to_string(settings.recorded));
  note.text("layers", layers_text(profile.layers));  // should this manager be killed before it can tell the run's own
  std::string frames = frame_of(NoteKind::kAccepted, note);
  Execute execute;
  execute.run_id = run.id;
  execute.session = run.request.session;
  execute.mode = run.request.mode;
  if (records_code_) {
    execute.filename = masked(run.request.filename);
    for (const std::string& argument : run.request.arguments) execute.arguments.push_back(masked(argument));
    if (records_code) execute.code.value = masked(code);
  }
  frames += encode_frame(std::move(execute));
  return sink_->write(frames, label::Recorded::kAccepted);
}

void RunRecording::started(const Run& run) {
  started_ms_ = wall_clock_ms();
  queue_us_ = to_microseconds(run.started_at - run.queued_at);
  worker_pid_ = run.worker_pid;
  lease_ = run.lease;
  sink_->has_collected(*this);
}

void RunRecording::put_start(NoteWriter& note) const {
  note.number("started_ms", started_ms_).number("worker_pid", worker_pid_);
  note.number("queue_us", queue_us_).text("lease", lease_);
}

void RunRecording::output(Stream stream, uint64_t offset, std::string_view data) {
  const size_t which = stream == Stream::kStdout ? 0 : 1;
  StreamState& state = streams_[which];
  const uint64_t taken = state.taken();
  const bool is_gapless = offset == taken && state.unrecorded == 0;
  const size_t room = records_output_ && is_gapless && taken < output_bytes_max_ && sink_->takes_content()
                          ? static_cast<size_t>(std::min<uint64_t>(output_bytes_max_ - taken, data.size()))
                          : 0;
  state.waiting.append(data.substr(0, room));
  state.unrecorded += data.size() - room;
  if (room == 0) return;
  if (state.waiting.size() + collected_.size() >= kCollectedBytes) {
    flush();
  } else {
    sink_->has_collected(*this);
  }
}

// The stream's bytes so far become a frame, but for what may yet turn out to be a secret.
void RunRecording::cut_output(size_t which, bool is_last) {
  StreamState& state = streams_[which];
  if (state.waiting.empty()) return;
  std::string rest;
  if (!mask_.empty()) {
    mask_.apply(state.waiting);
    const size_t undecided = is_last ? 0 : mask_.undecided_bytes(state.waiting);
    rest = state.waiting.substr(state.waiting.size() - undecided);
    state.waiting.resize(state.waiting.size() - undecided);
  }
  if (!state.waiting.empty()) {
    Output meta;
    meta.run_id = run_id_;
    meta.stream = static_cast<uint32_t>(which + 1);
    meta.offset = state.recorded;
    collected_ += encode_output_prefix(meta, state.waiting.size());
    collected_ += state.waiting;
    state.recorded += state.waiting.size();
  }
  state.waiting = std::move(rest);
}

void RunRecording::display(const Display& display) {
  const size_t bytes = size_of(display.data);
  if (!records_output_) return;
  if (results_bytes_ + bytes > kRecordedResultsBytes || !sink_->takes_content()) return void(++results_lost_);
  results_bytes_ += bytes;
  Display kept = display;
  kept.metadata_json.clear();
  for (auto& [mime, data] : kept.data) data.value = masked(std::move(data.value));
  collected_ += encode_frame(std::move(kept));
  collected_.size() >= kCollectedBytes ? flush() : sink_->has_collected(*this);
}

void RunRecording::result(const ResultValue& result) {
  const size_t bytes = size_of(result.data);
  if (!records_output_) return;
  if (results_bytes_ + bytes > kRecordedResultsBytes || !sink_->takes_content()) return void(++results_lost_);
  results_bytes_ += bytes;
  ResultValue kept = result;
  kept.metadata_json.clear();
  for (auto& [mime, data] : kept.data) data.value = masked(std::move(data.value));
  collected_ += encode_frame(std::move(kept));  // its end is near, and takes it along
}

void RunRecording::slow(Duration after, const std::string& stack, std::string_view missing) {
  NoteWriter note;
  note.text("run_id", run_id_).number("at_ms", wall_clock_ms()).number("after_us", to_microseconds(after));
  note.text("missing", records_code_ ? missing : "what shows code is not recorded (run.recorded)");
  collected_ += frame_of(NoteKind::kSlow, note);
  if (records_code_ && !stack.empty()) collected_ += encode_frame(Stack{0, run_id_, {masked(stack)}});
  sink_->has_collected(*this);
}

void RunRecording::flush() {
  if (started_ms_ != 0 && !std::exchange(start_is_told_, true)) {
    NoteWriter note;
    note.text("run_id", run_id_);
    put_start(note);
    collected_ += frame_of(NoteKind::kStarted, note);
  }
  for (size_t which = 0; which < streams_.size(); ++which) cut_output(which, false);
  if (!collected_.empty()) (void)sink_->write(std::exchange(collected_, {}), label::Recorded::kContent);
}

// Where more was printed than is recorded, it may have been cut in the middle of a secret.
void RunRecording::mask_cut_ends(const OutputCount& output) {
  for (StreamState& state : streams_) {
    if (state.unrecorded == 0 && output.dropped_bytes == 0) continue;
    mask_.apply(state.waiting);
    mask_.apply_to_cut_end(state.waiting);
  }
}

void RunRecording::finished(Run& run) {
  mask_cut_ends(run.outcome.evidence.output);
  for (size_t which = 0; which < streams_.size(); ++which) cut_output(which, true);
  NoteWriter note;
  note.text("run_id", run_id_).number("finished_ms", wall_clock_ms());
  if (started_ms_ != 0) put_start(note);
  note.number("total_us", to_microseconds(run.finished_at - run.queued_at));
  note.number("memory_start_bytes", run.memory_start_bytes).number("memory_end_bytes", run.memory_end_bytes);
  note.number("began_us", run.trace.began_wall_us).text("trace", trace_text(trace_lines(run.trace.marks())));
  note.number("threads", run.threads).text("layers", layers_text(run.outcome.evidence.layers));
  note.number("stdout_unrecorded_bytes", streams_[0].unrecorded);
  note.number("stderr_unrecorded_bytes", streams_[1].unrecorded).number("results_unrecorded", results_lost_);
  collected_ += frame_of(NoteKind::kFinished, note);
  collected_ += outcome_frame(run.outcome);
  (void)sink_->write(std::exchange(collected_, {}), label::Recorded::kFinished);
}

// Without what must not be recorded, and without the long texts of the layers. Copied only where it differs.
std::string RunRecording::outcome_frame(Finished& outcome) const {
  std::vector<Layer> layers = std::exchange(outcome.evidence.layers, {});
  const bool is_whole = records_code_ && records_output_ && mask_.empty();
  Finished cut = is_whole ? std::move(outcome) : outcome;
  if (!is_whole) leave_out(cut);
  Message message(std::move(cut));
  std::string frame = encode_frame(message);
  if (is_whole) outcome = std::move(std::get<Finished>(message));
  outcome.evidence.layers = std::move(layers);
  return frame;
}

void RunRecording::leave_out(Finished& outcome) const {
  RaisedError* const error = outcome.error ? &*outcome.error : nullptr;
  if (!records_output_) {
    outcome.evidence.last_output = {};
    if (error != nullptr) error->value.clear();
  }
  if (!records_code_) outcome.evidence.stack = {};
  if (error != nullptr && !records_code_ && !is_builtin_error(error->name)) error->name.clear();
  if (error != nullptr && !(records_code_ && records_output_)) error->traceback.clear();  // it has lines of both
  if (mask_.empty()) return;
  for (Bytes* bytes : {&outcome.evidence.last_output, &outcome.evidence.stack}) mask_.apply(bytes->value);
  const OutputCount& output = outcome.evidence.output;
  const bool is_cut = outcome.evidence.last_output.value.size() < output.stdout_bytes + output.stderr_bytes;
  if (is_cut) mask_.apply_to_cut_beginning(outcome.evidence.last_output.value);
  mask_.apply(outcome.evidence.detail);
  if (error == nullptr) return;
  mask_.apply(error->name);
  mask_.apply(error->value);
  mask_.apply(error->traceback);
}

}  // namespace capsule

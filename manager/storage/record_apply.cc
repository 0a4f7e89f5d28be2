// From frames of the log to directories and rows.
#include <algorithm>
#include <limits>

#include "manager/observe/trace_lines.h"
#include "manager/storage/open_run.h"
#include "manager/storage/run_folder.h"
#include "manager/storage/yaml_text.h"
#include "protocol/codec.h"

namespace capsule {
namespace {

constexpr size_t kPendingBytes = 256u << 10;  // of one stream that wait in memory
constexpr LogPosition kWhole{std::numeric_limits<uint64_t>::max(), 0};
constexpr std::array<const char*, 2> kStreamFiles{run_file::kStdout, run_file::kStderr};
constexpr std::array<const char*, 2> kStreamNames{"stdout", "stderr"};

std::string run_of(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::string {
        if constexpr (requires { m.run_id; }) {
          return m.run_id;
        } else {
          return {};
        }
      },
      message);
}

}  // namespace

std::string RecordStore::trace_of(const OpenRun& run) {
  const auto word = [&run](const char* name) { return run.info.value(name, InfoJson("")); };
  const InfoJson run_id = word("run_id"), trace_id = word("trace_id");
  TraceFacts facts;
  if (run_id.is_string()) facts.run_id = run_id;
  if (trace_id.is_string()) facts.trace_id = trace_id;
  facts.began_wall_us = static_cast<int64_t>(note_number(run.finished_note, "began_us"));
  return trace_jsonl(facts, read_trace_text(note_text(run.finished_note, "trace")));
}

void RecordStore::apply(LogPosition at, Message message) {
  if (const auto* note = std::get_if<Ack>(&message)) return apply_note(at, *note);
  const std::string run_id = run_of(message);
  const auto* finished = std::get_if<Finished>(&message);
  if (finished != nullptr && at.segment != kWhole.segment) {
    if (std::exchange(finals_read_.segment, at.segment) != at.segment) finals_read_.in_segment = 0;
    ++finals_read_.in_segment;
    ++finals_read_.all;
  }
  if (const auto done = ahead_.find(run_id); done != ahead_.end()) {
    const bool is_applied = at <= done->second;
    if (finished != nullptr || !is_applied) ahead_.erase(done);
    if (is_applied) return;
  }
  if (finished != nullptr) return finish(at, *finished);
  OpenRun* run = find_open(run_id);
  if (run == nullptr) return;
  run->is_changed = true;
  if (auto* output = std::get_if<Output>(&message)) {
    take_output(*run, *output);
    for (auto& stream : run->streams) {
      if (stream.pending.size() > kPendingBytes) return flush(run_id, *run);
    }
  } else if (auto* execute = std::get_if<Execute>(&message)) {
    add_execute(run->info, *execute);
    run->code = std::move(execute->code.value);
  } else if (const auto* display = std::get_if<Display>(&message)) {
    run->results.push_back(result_json(*display));
  } else if (const auto* result = std::get_if<ResultValue>(&message)) {
    run->results.push_back(result_json(*result));
  } else if (const auto* stack = std::get_if<Stack>(&message)) {
    add_slow_stack(run->info, *stack);
  }
}

void RecordStore::apply_note(LogPosition at, const Ack& message) {
  const Note note = read_note(message.detail);
  const std::string run_id(note_text(note, "run_id"));
  if (const auto done = ahead_.find(run_id); done != ahead_.end() && at <= done->second) return;
  if (message.re == static_cast<uint64_t>(NoteKind::kAccepted)) {
    auto run = std::make_unique<OpenRun>();
    if (at.segment < replay_until_) {
      const auto row = index_->find(run_id);
      if (row && *row && (*row)->is_final) {
        ahead_[run_id] = kWhole;
        return;
      }
      run->has_row = row && *row;
      run->row_bytes = run->has_row ? (*row)->bytes : 0;
    }
    run->uid = static_cast<uid_t>(note_number(note, "uid"));
    run->created_ms = static_cast<int64_t>(note_number(note, "created_ms"));
    run->info = accepted_info(note, {host_, directory_ + "/runs"});
    run->is_changed = true;
    open_[run_id] = std::move(run);
    return;
  }
  OpenRun* run = find_open(run_id);
  if (run == nullptr) return;
  run->is_changed = true;
  if (message.re == static_cast<uint64_t>(NoteKind::kStarted)) add_started(run->info, note);
  if (message.re == static_cast<uint64_t>(NoteKind::kSlow)) add_slow(run->info, note);
  if (message.re == static_cast<uint64_t>(NoteKind::kFinished)) run->finished_note = note;
}

// One that was accepted by an earlier manager may be in the index only.
RecordStore::OpenRun* RecordStore::find_open(const std::string& run_id) {
  const auto found = open_.find(run_id);
  if (found != open_.end()) return found->second.get();
  const auto row = index_->find(run_id);
  if (!row || !*row || (*row)->is_final) return nullptr;
  auto run = std::make_unique<OpenRun>();
  run->uid = (*row)->uid;
  run->created_ms = (*row)->created_ms;
  run->info = InfoJson::parse((*row)->info, nullptr, false);
  if (!run->info.is_object()) return nullptr;
  run->row_bytes = (*row)->bytes;
  run->has_row = true;
  for (size_t i = 0; i < run->streams.size(); ++i) {
    run->streams[i].file_bytes = run_file_bytes(runs_.get(), run_id, kStreamFiles[i]);
  }
  return (open_[run_id] = std::move(run)).get();
}

// Only what follows what is there: a log that is read again changes nothing.
void RecordStore::take_output(OpenRun& run, const Output& output) {
  if (output.stream < 1 || output.stream > run.streams.size()) return;
  auto& stream = run.streams[output.stream - 1];
  const uint64_t have = stream.bytes();
  const std::string& data = output.data.value;
  if (output.offset > have || output.offset + data.size() <= have) return;
  stream.pending.append(data, have - output.offset);
}

void RecordStore::flush(const std::string& run_id, OpenRun& run) {
  run.is_changed = false;
  const auto folder = RunFolder::make(runs_.get(), run_id, *spare_);
  if (!folder) return trouble(tl::unexpected<Error>(folder.error()));
  if (!run.code.empty()) {
    trouble(folder->write_at(run_file::kCode, 0, run.code));
    run.code_bytes += std::exchange(run.code, {}).size();
  }
  for (size_t i = 0; i < run.streams.size(); ++i) {
    auto& stream = run.streams[i];
    if (!stream.pending.empty()) trouble(folder->write_at(kStreamFiles[i], stream.file_bytes, stream.pending));
    stream.file_bytes += std::exchange(stream.pending, {}).size();
    if (stream.file_bytes > 0) run.info["files"][kStreamNames[i]] = kStreamFiles[i];
  }
  if (!run.results.empty()) {
    const std::string results = dump_json({{"v", 1}, {"run_id", run_id}, {"results", run.results}}) + "\n";
    trouble(folder->replace(run_file::kResults, results));
    run.info["files"]["results"] = run_file::kResults;
    run.results_bytes = results.size();
  }
  if (!run.trace.empty()) {
    trouble(folder->replace(run_file::kTrace, run.trace));
    run.info["files"]["trace"] = run_file::kTrace;
    run.trace_bytes = std::exchange(run.trace, {}).size();
  }
  trouble(folder->replace(run_file::kInfo, yaml_text(run.info)));
  put_row(run_id, run);
}

void RecordStore::put_row(const std::string& run_id, OpenRun& run) {
  RecordRow row;
  row.run_id = run_id;
  row.uid = run.uid;
  row.created_ms = run.created_ms;
  row.is_final = !run.info["verdict"].is_null();
  row.info = dump_json(run.info);
  row.bytes = kFolderBytes + run.code_bytes + run.results_bytes + run.trace_bytes + row.info.size() +
              run.streams[0].file_bytes + run.streams[1].file_bytes;
  trouble(index_->put(row));
  if (!run.has_row) ++total_.runs;
  total_.bytes += row.bytes;
  total_.bytes -= std::min(total_.bytes, run.row_bytes);
  run.row_bytes = row.bytes;
  run.has_row = true;
}

void RecordStore::finish(LogPosition at, const Finished& finished) {
  OpenRun* run = find_open(finished.run_id);
  if (run == nullptr) return;
  const uint64_t behind = finals_known_ - std::min(finals_known_, finals_read_.all);
  if (!run->has_row && behind >= config_.max_runs) {
    ++expired_;
    // A step that was cut off by the end of its manager may have made a directory without a row.
    if (at.segment < replay_until_) trouble(spare_->take(runs_.get(), finished.run_id));
  } else {
    if (!run->has_row && total_.runs >= config_.max_runs) {
      const auto oldest = index_->oldest_final();
      if (oldest && *oldest) remove(**oldest);
    }
    add_finished(run->info, run->finished_note, finished);
    if (!note_has_end(run->finished_note)) {  // nobody was left to count: what is there was printed
      run->info["output"]["stdout_bytes"] = run->streams[0].bytes();
      run->info["output"]["stderr_bytes"] = run->streams[1].bytes();
    }
    run->trace = trace_of(*run);
    flush(finished.run_id, *run);
  }
  open_.erase(finished.run_id);
}

// Reads on for one run without applying the others.
void RecordStore::look_ahead(const std::string& run_id) {
  const Finals finals = finals_read_;  // it will be read again in its turn
  RecordLogReader reader(log_.get(), reader_->position().segment);
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
    if ((*frame)->at < reader_->position()) continue;
    if ((*frame)->payload.find(run_id) == std::string_view::npos) continue;
    auto message = decode((*frame)->payload);
    if (!message) continue;
    const LogPosition at = (*frame)->at;
    apply(at, std::move(*message));
    ahead_[run_id] = at;
  }
  finals_read_ = finals;
}

}  // namespace capsule

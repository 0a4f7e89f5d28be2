// What people ask of the records.
#include <algorithm>

#include "manager/observe/trace_lines.h"
#include "manager/storage/open_run.h"
#include "manager/storage/run_folder.h"

namespace capsule {
namespace {

constexpr milliseconds kListPatience{300};  // for what a list does not have yet; see `behind`
constexpr milliseconds kShowPatience{100};
constexpr size_t kTraceBytes = 64u << 10;  // of trace.jsonl; a run has few events

tl::unexpected<Error> no_such_run(const std::string& run_id) {
  return failure(Errc::kNotFound, "there is no record of a run '" + run_id.substr(0, limits::kIdBytes) + "'");
}

uint64_t count_of(const InfoJson& info, const char* part, const std::string& key) {
  const auto found = info.find(part);
  return found == info.end() || !found->is_object() ? 0 : found->value(key, uint64_t{0});
}

}  // namespace

Result<std::string> RecordStore::list(uid_t uid, const std::string& before, uint64_t count) {
  const bool all = catch_up(kListPatience);
  const size_t rows_max = count == 0 ? limits::kRecordRows : std::min<uint64_t>(count, limits::kRecordRows);
  const auto infos = index_->latest(uid, before, rows_max);
  if (!infos) return tl::unexpected<Error>(infos.error());
  InfoJson rows = InfoJson::array();
  for (const std::string& text : *infos) {
    const InfoJson info = InfoJson::parse(text, nullptr, false);
    if (info.is_object()) rows.push_back(row_of_info(info));
  }
  InfoJson document = {{"v", 1}, {"runs", std::move(rows)}, {"more", infos->size() == rows_max}};
  if (!all) document["behind"] = true;
  return dump_json(document);
}

// Ids that are not ours never reach a path: only what the index has is looked for on the disk.
Result<RecordRow> RecordStore::row_for(uid_t uid, const std::string& run_id) {
  auto row = Result<std::optional<RecordRow>>(std::nullopt);
  if (!catch_up(kShowPatience) && !needs_replay_) {
    trouble(index_->begin());
    look_ahead(run_id);
    flush_all();
    (void)end_step();
  }
  row = index_->find(run_id);
  if (!row) return tl::unexpected<Error>(row.error());
  if (!*row || (uid != 0 && (*row)->uid != uid)) return no_such_run(run_id);
  return std::move(**row);
}

Result<std::string> RecordStore::show(uid_t uid, const std::string& run_id) {
  auto row = row_for(uid, run_id);
  if (!row) return tl::unexpected<Error>(row.error());
  return std::move(row->info);
}

Result<std::string> RecordStore::trace(uid_t uid, const std::string& run_id) {
  const auto row = row_for(uid, run_id);
  if (!row) return tl::unexpected<Error>(row.error());
  const auto text = read_run_file(runs_.get(), run_id, run_file::kTrace, 0, kTraceBytes);
  if (!text) return tl::unexpected<Error>(text.error());
  if (text->empty())
    return failure(Errc::kNotFound, "run '" + run_id + "' has no trace: it is not over, or its manager was killed");
  const InfoJson info = InfoJson::parse(row->info, nullptr, false);
  const auto word = [&info](const char* name) {
    const auto found = info.find(name);
    return found != info.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const TraceFile file = read_trace_jsonl(*text);
  const TraceFacts facts{run_id,           word("session"),    word("request_id"),
                         word("trace_id"), word("span_id"),    word("parent_span_id"),
                         word("verdict"),  file.began_wall_us, 0};
  return trace_document(facts, file.lines);
}

Result<RecordData> RecordStore::output(uid_t uid, const std::string& run_id, uint32_t stream, uint64_t offset) {
  if (stream != 1 && stream != 2) return failure(Errc::kInvalid, "stream is 1 (stdout) or 2 (stderr)");
  const auto row = row_for(uid, run_id);
  if (!row) return tl::unexpected<Error>(row.error());
  const char* const file = stream == 1 ? run_file::kStdout : run_file::kStderr;
  auto piece = read_run_file(runs_.get(), run_id, file, offset, limits::kFileChunkBytes);
  if (!piece) return tl::unexpected<Error>(piece.error());
  const InfoJson info = InfoJson::parse(row->info, nullptr, false);
  RecordData data;
  data.bytes = run_file_bytes(runs_.get(), run_id, file);
  data.unrecorded_bytes = count_of(info, "output", stream == 1 ? "stdout_unrecorded_bytes" : "stderr_unrecorded_bytes");
  data.finished = row->is_final;
  data.data.value = std::move(*piece);
  return data;
}

}  // namespace capsule

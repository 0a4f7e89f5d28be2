#include "manager/storage/index_folders.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "base/unique_fd.h"
#include "manager/storage/record_info.h"
#include "manager/storage/run_folder.h"
#include "manager/storage/yaml_text.h"

namespace capsule {
namespace {

constexpr uint64_t kInfoBytesMax = 16u << 20;
constexpr size_t kRunIdBytes = 36;

// The first 48 bits of an id (RFC 9562, version 7).
std::optional<int64_t> milliseconds_in(const std::string& run_id) {
  if (run_id.size() != kRunIdBytes || run_id[8] != '-') return std::nullopt;
  const std::string digits = run_id.substr(0, 8) + run_id.substr(9, 4);
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ms, 16);
  return error == std::errc() && end == digits.data() + digits.size() ? std::optional(ms) : std::nullopt;
}

std::optional<RecordRow> row_in(int runs, const std::string& run_id) {
  const auto created_ms = milliseconds_in(run_id);
  const uint64_t info_bytes = created_ms ? run_file_bytes(runs, run_id, run_file::kInfo) : 0;
  if (info_bytes == 0 || info_bytes > kInfoBytesMax) return std::nullopt;
  const auto text = read_run_file(runs, run_id, run_file::kInfo, 0, info_bytes);
  if (!text) return std::nullopt;
  const auto info = read_yaml_text(*text);
  if (!info || info->value("run_id", InfoJson()) != run_id) return std::nullopt;
  const InfoJson uid = info->value("uid", InfoJson());
  if (!uid.is_number_unsigned()) return std::nullopt;
  RecordRow row{run_id, uid.get<uid_t>(), *created_ms, !info->value("verdict", InfoJson()).is_null(),
                0,      dump_json(*info)};
  row.bytes = kFolderBytes + row.info.size();
  for (const char* name :
       {run_file::kCode, run_file::kStdout, run_file::kStderr, run_file::kResults, run_file::kTrace}) {
    row.bytes += run_file_bytes(runs, run_id, name);
  }
  return row;
}

}  // namespace

Result<uint64_t> index_folders(RecordIndex& index, int runs) {
  UniqueFd again(openat(runs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(again ? fdopendir(again.get()) : nullptr, closedir);
  if (!stream) return system_failure("open the directories of runs");
  (void)again.release();
  if (const Status begun = index.begin(); !begun) return tl::unexpected<Error>(begun.error());
  uint64_t rows = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const auto row = row_in(runs, entry->d_name);
    if (!row) continue;
    if (const Status put = index.put(*row); !put) return tl::unexpected<Error>(put.error());
    ++rows;
  }
  if (const Status done = index.commit(); !done) return tl::unexpected<Error>(done.error());
  return rows;
}

}  // namespace capsule

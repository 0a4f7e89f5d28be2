// Files between this machine and a workspace, over one connection, chunk by chunk.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/client.h"

namespace capsule::cli {

// `local` is a path here, "-" standard input; `inside` is one in the workspace.
struct FilePair {
  std::string local, inside;
};

// "a.csv" -> a.csv under its own name; "b.py=lib/b.py" -> under that one. kInvalid for a name the grammar refuses.
Result<FilePair> parse_file_option(const std::string& text);

inline constexpr uint64_t kUpload = 1;  // a command sends one at most

// Sends the files as upload kUpload, for `execute` or `file_store`.
Status send_files(Client& client, const std::vector<FilePair>& files);

// Every regular file below `directory`, under `inside`. Links are not followed and not taken. kTooLarge: more than
// kTreeFiles.
inline constexpr size_t kTreeFiles = 100'000;
Result<std::vector<FilePair>> files_below(const std::string& directory, const std::string& inside);

// What a file is read from: a run's files, or a session's.
struct FileOrigin {
  std::string run_id, session;
};

// The whole file into `fd`. kConflict: it changed while it was read. Gives its size.
struct ReadFile {
  uint64_t bytes = 0;
  bool executable = false;
};
Result<ReadFile> read_file_into(Client& client, const FileOrigin& origin, const std::string& path, int fd);

Result<FileListing> list_files(Client& client, const FileOrigin& origin, const std::string& path);

}  // namespace capsule::cli

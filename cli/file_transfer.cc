#include "cli/file_transfer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "base/posix_io.h"
#include "protocol/file_path.h"
#include "protocol/limits.h"

namespace capsule::cli {
namespace {

template <class Request>
Result<Message> ask(Client& client, Request request) {
  request.id = client.next_id();
  const uint64_t id = request.id;
  return client.call(id, std::move(request));
}

template <class Request>
Status order(Client& client, Request request) {
  const auto answer = ask(client, std::move(request));
  return answer ? Status{} : tl::unexpected<Error>(answer.error());
}

template <class Reply, class Request>
Result<Reply> fetch(Client& client, Request request) {
  auto answer = ask(client, std::move(request));
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (auto* reply = std::get_if<Reply>(&*answer)) return std::move(*reply);
  return failure(Errc::kInvalid, "the manager answered with '" + std::string(type_of(*answer)) + "'");
}

Result<UniqueFd> open_local(const std::string& path) {
  if (path == "-") return UniqueFd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_failure("cannot read " + path);
  return file;
}

Status send_file(Client& client, const FilePair& pair) {
  const auto file = open_local(pair.local);
  if (!file) return tl::unexpected<Error>(file.error());
  struct stat facts {};
  if (fstat(file->get(), &facts) != 0) return system_failure("cannot read " + pair.local);
  if (S_ISDIR(facts.st_mode))
    return failure(Errc::kInvalid, pair.local + " is a directory (`capsule cp -r` takes one)");
  FilePut piece;
  piece.upload = kUpload;
  piece.path.value = pair.inside;
  piece.executable = S_ISREG(facts.st_mode) && (facts.st_mode & 0111) != 0;
  for (bool first = true;; first = false) {
    piece.data.value.resize(limits::kFileChunkBytes);
    const ssize_t got = read(file->get(), piece.data.value.data(), piece.data.value.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("cannot read " + pair.local);
    if (got == 0 && !first) return {};
    piece.data.value.resize(static_cast<size_t>(got));
    if (auto status = order(client, piece); !status) return status;
    if (got == 0) return {};
  }
}

}  // namespace

Result<FilePair> parse_file_option(const std::string& text) {
  const size_t equals = text.rfind('=');
  FilePair pair{text.substr(0, equals), equals == text.npos ? "" : text.substr(equals + 1)};
  if (equals == text.npos) pair.inside = std::filesystem::path(text).filename();
  if (pair.local.empty()) return failure(Errc::kInvalid, "'" + text + "' names no file");
  if (auto status = check_file_path(pair.inside); !status) return tl::unexpected<Error>(status.error());
  return pair;
}

Status send_files(Client& client, const std::vector<FilePair>& files) {
  for (const FilePair& pair : files) {
    if (auto status = send_file(client, pair); !status) return status;
  }
  return {};
}

Result<std::vector<FilePair>> files_below(const std::string& directory, const std::string& inside) {
  namespace fs = std::filesystem;
  std::vector<FilePair> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (!fs::is_regular_file(at->symlink_status())) continue;
    if (files.size() >= kTreeFiles) {
      return failure(Errc::kTooLarge, directory + " has more than " + std::to_string(kTreeFiles) + " files");
    }
    const std::string below = at->path().lexically_relative(directory).string();
    FilePair pair{at->path().string(), inside.empty() ? below : inside + "/" + below};
    if (auto status = check_file_path(pair.inside); !status) return tl::unexpected<Error>(status.error());
    files.push_back(std::move(pair));
  }
  if (error) return failure(Errc::kSystem, "cannot read " + directory + ": " + error.message());
  if (files.empty()) return failure(Errc::kNotFound, directory + " has no files");
  return files;
}

Result<ReadFile> read_file_into(Client& client, const FileOrigin& origin, const std::string& path, int fd) {
  FileGet request{
      .id = 0, .run_id = origin.run_id, .session = origin.session, .checkpoint = {}, .path = {path}, .offset = 0};
  std::string version;
  for (;;) {
    const auto data = fetch<FileData>(client, request);
    if (!data) return tl::unexpected<Error>(data.error());
    if (request.offset == 0) version = data->version;
    const bool is_whole = request.offset + data->data.value.size() >= data->bytes;
    if (data->version != version || (data->data.value.empty() && !is_whole)) {
      return failure(Errc::kConflict, "'" + path + "' was changed while it was read");
    }
    if (auto status = write_all(fd, data->data.value); !status) return tl::unexpected<Error>(status.error());
    request.offset += data->data.value.size();
    if (is_whole) return ReadFile{request.offset, data->executable};
  }
}

Result<FileListing> list_files(Client& client, const FileOrigin& origin, const std::string& path) {
  return fetch<FileListing>(client,
                            FileList{.id = 0, .run_id = origin.run_id, .session = origin.session, .path = {path}});
}

}  // namespace capsule::cli

#include "manager/files/file_service.h"

#include <algorithm>

#include "manager/files/beneath.h"
#include "protocol/file_path.h"

namespace capsule {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

int64_t ns_of(const timespec& time) { return time.tv_sec * kNsPerSecond + time.tv_nsec; }

bool is_executable(const struct stat& facts) { return S_ISREG(facts.st_mode) && (facts.st_mode & 0100) != 0; }

std::string version_of(const struct stat& facts) {
  return std::to_string(facts.st_ino) + "-" + std::to_string(ns_of(facts.st_ctim)) + "-" +
         std::to_string(facts.st_size);
}

bool was_written(const RunFiles& files, const std::string& path, const struct stat& facts) {
  if (ns_of(facts.st_ctim) < files.since_ns) return false;
  const auto uploaded = files.uploaded.find(path);
  return uploaded == files.uploaded.end() || !uploaded->second.is(facts);
}

}  // namespace

FileService::FileService(Loop& loop, FilesConfig config, SessionRegistry& sessions, Metrics& metrics)
    : loop_(loop), config_(config), sessions_(sessions), metrics_(metrics), timer_(loop) {}

uint64_t FileService::uploaded_bytes() {
  uint64_t bytes = 0;
  std::erase_if(taken_, [](const auto& upload) { return upload.expired(); });
  for (const auto& taken : taken_) {
    if (const auto upload = taken.lock()) bytes += upload->bytes();
  }
  for (const auto& [key, upload] : uploads_) bytes += upload->bytes();
  return bytes;
}

Status FileService::put(const FilePut& piece, ClientKey client) {
  if (piece.upload == 0) return failure(Errc::kInvalid, "an upload's number is not 0");
  auto& upload = uploads_[{client, piece.upload}];
  if (!upload) {
    auto made = uploads_.size() > config_.uploads
                    ? failure(Errc::kUnavailable, "too many uploads wait for their runs (files.uploads)")
                    : Upload::make();
    if (!made) {
      uploads_.erase({client, piece.upload});
      return tl::unexpected<Error>(made.error());
    }
    upload = std::move(*made);
  }
  if (uploaded_bytes() + piece.data.value.size() > config_.uploads_total_bytes) {
    return failure(Errc::kUnavailable, "the uploads of all clients fill files.uploads_total_bytes; try again later");
  }
  const Status put = upload->put(piece, {config_.upload_files, config_.upload_bytes});
  if (put) metrics_.file_bytes(label::Direction::kReceived, piece.data.value.size());
  return put;
}

Result<std::shared_ptr<Upload>> FileService::take_upload(uint64_t id, ClientKey client) {
  const auto found = uploads_.extract(UploadKey{client, id});
  if (found.empty()) return failure(Errc::kNotFound, "there is no upload " + std::to_string(id));
  taken_.push_back(found.mapped());
  return found.mapped();
}

Status FileService::store(const FileStore& request, ClientKey client, uid_t uid, Stored stored) {
  const auto upload = take_upload(request.upload, client);
  if (!upload) return tl::unexpected<Error>(upload.error());
  const auto files = find({}, request.session, client, uid);
  if (!files) return tl::unexpected<Error>(files.error());
  const UploadKey key{client, request.upload};
  if (placings_.contains(key)) return failure(Errc::kConflict, "an upload with this number is being stored");
  placings_[key] = std::make_unique<Placing>(
      loop_, *upload, files->workspace, [this, key, stored = std::move(stored)](Result<Manifest> manifest) {
        const auto ended = placings_.extract(key);
        stored(manifest ? Status{} : Status(tl::unexpected<Error>(manifest.error())));
      });
  return {};
}

Result<RunFiles> FileService::find(const std::string& run_id, const std::string& session, ClientKey client, uid_t uid) {
  if (run_id.empty() == session.empty()) return failure(Errc::kInvalid, "one of run_id and session is needed");
  if (!run_id.empty()) {
    const auto found = kept_.find(run_id);
    if (found == kept_.end() || found->second.client != client) {
      return failure(Errc::kNotFound, "no files of a run '" + run_id.substr(0, limits::kIdBytes) +
                                          "' are kept for this connection (files.hold_timeout_s)");
    }
    found->second.last_used = now();
    return found->second.files;
  }
  const auto wanted = sessions_.find(session, uid);
  if (!wanted) return tl::unexpected<Error>(wanted.error());
  const auto& capsule = (*wanted)->lease().capsule;
  if (!capsule || !capsule->workspace()) {
    return failure(Errc::kUnavailable, "session '" + session + "' has no workspace now");
  }
  return RunFiles{capsule->workspace(), {}, 0};
}

Result<FileListing> FileService::list(const FileList& request, ClientKey client, uid_t uid) {
  const std::string& path = request.path.value;
  if (const Status good = path.empty() ? Status{} : check_file_path(path); !good) {
    return tl::unexpected<Error>(good.error());
  }
  const auto files = find(request.run_id, request.session, client, uid);
  if (!files) return tl::unexpected<Error>(files.error());
  const AsOwner as_owner(*files->workspace);
  auto walk =
      walk_files(files->workspace->fd(), path,
                 {config_.list_entries, config_.list_looks, config_.file_bytes, config_.list_timeout},
                 [&](const std::string& name, const struct stat& facts) { return was_written(*files, name, facts); });
  if (!walk) return tl::unexpected<Error>(walk.error());
  FileListing listing;
  listing.incomplete = std::move(walk->incomplete);
  for (Found& found : walk->found) {
    if (!found.skipped.empty()) metrics_.file_skipped();
    const auto bytes = static_cast<uint64_t>(std::max<off_t>(found.facts.st_size, 0));
    listing.entries.push_back({{std::move(found.path)}, bytes, is_executable(found.facts), std::move(found.skipped)});
  }
  return listing;
}

Result<FileData> FileService::get(const FileGet& request, ClientKey client, uid_t uid) {
  const std::string& path = request.path.value;
  if (const Status good = check_file_path(path); !good) return tl::unexpected<Error>(good.error());
  const auto files = find(request.run_id, request.session, client, uid);
  if (!files) return tl::unexpected<Error>(files.error());
  const AsOwner as_owner(*files->workspace);
  const auto file = beneath::open_to_read(files->workspace->fd(), path, config_.file_bytes);
  if (!file) {
    if (file.error().code != Errc::kNotFound) metrics_.file_skipped();
    return tl::unexpected<Error>(file.error());
  }
  FileData data;
  data.bytes = static_cast<uint64_t>(file->facts.st_size);
  data.version = version_of(file->facts);
  data.executable = is_executable(file->facts);
  if (request.offset < data.bytes) {
    std::string& block = data.data.value;
    block.resize(std::min<uint64_t>(limits::kFileChunkBytes, data.bytes - request.offset));
    const ssize_t got = pread(file->fd.get(), block.data(), block.size(), static_cast<off_t>(request.offset));
    if (got < 0) return system_failure("read");
    block.resize(static_cast<size_t>(got));
  }
  metrics_.file_bytes(label::Direction::kSent, data.data.value.size());
  return data;
}

Status FileService::done(const FileDone& request, ClientKey client) {
  const auto found = kept_.find(request.run_id);
  if (found == kept_.end() || found->second.client != client) {
    return failure(Errc::kNotFound, "no files of that run are kept for this connection");
  }
  kept_.erase(found);
  return {};
}

void FileService::client_gone(ClientKey client) {
  std::erase_if(uploads_, [client](const auto& entry) { return entry.first.first == client; });
  std::erase_if(placings_, [client](const auto& entry) { return entry.first.first == client; });
  std::erase_if(kept_, [client](const auto& entry) { return entry.second.client == client; });
}

void FileService::keep(const RunId& run, ClientKey client, RunFiles files) {
  while (kept_.size() >= config_.holds) forget_oldest();
  kept_[run] = {client, std::move(files), now()};
  expire();
}

void FileService::forget_oldest() {
  kept_.erase(std::min_element(kept_.begin(), kept_.end(),
                               [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; }));
}

void FileService::expire() {
  const TimePoint at = now();
  std::erase_if(kept_, [&](const auto& entry) { return at - entry.second.last_used >= config_.hold_timeout; });
  TimePoint next = TimePoint::max();
  for (const auto& [id, kept] : kept_) next = std::min(next, kept.last_used + config_.hold_timeout);
  timer_.at(next, [this] { expire(); });
}

}  // namespace capsule

#include "manager/storage/checkpoint_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace capsule {
namespace {

constexpr std::string_view kEnding = ".ckpt";
constexpr std::string_view kPart = ".part-";  // no checkpoint's name begins with a dot
constexpr size_t kEntriesMax = 100000;        // of one directory that are looked at

std::string file_name(std::string_view name) { return std::string(name) + std::string(kEnding); }

Result<UniqueFd> open_at(int directory, const std::string& name, int flags) {
  UniqueFd fd(openat(directory, name.c_str(), flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd) return fd;
  if ((flags & O_CREAT) != 0) return write_failure("open");
  auto error = system_failure("open");
  if (errno == ENOENT) error.value().code = Errc::kNotFound;
  return error;
}

// Names in a directory without `.` and `..`; at most kEntriesMax.
Result<std::vector<std::string>> names_in(int directory) {
  auto again = open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!again) return tl::unexpected<Error>(again.error());
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(again->get()), closedir);
  if (!stream) return system_failure("fdopendir");
  (void)again->release();
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == kEntriesMax) return failure(Errc::kTooLarge, "too many files in a directory of checkpoints");
    names.emplace_back(name);
  }
  return names;
}

// Of the file of a checkpoint; empty: it is none.
std::string name_of(std::string_view file) {
  if (!file.ends_with(kEnding)) return {};
  file.remove_suffix(kEnding.size());
  return check_checkpoint_name(file) ? std::string(file) : std::string();
}

tl::unexpected<Error> not_found(std::string_view name) {
  return failure(Errc::kNotFound, "there is no checkpoint '" + std::string(name) + "'");
}

std::string random_part_name() {
  uint64_t word = 0;
  (void)getrandom(&word, sizeof word, 0);
  return std::string(kPart) + std::to_string(word);
}

int64_t in_ms(const timespec& time) { return int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000; }

Result<CheckpointEntry> read_entry(int directory, std::string name) {
  const auto file = open_at(directory, file_name(name), O_RDONLY | O_NONBLOCK);
  if (!file) return file.error().code == Errc::kNotFound ? not_found(name) : tl::unexpected<Error>(file.error());
  struct stat facts {};
  if (fstat(file->get(), &facts) != 0) return system_failure("fstat");
  CheckpointEntry entry;
  entry.name = std::move(name);
  entry.file_bytes = static_cast<uint64_t>(facts.st_size);
  entry.written_ms = in_ms(facts.st_mtim);
  if (auto info = read_checkpoint_info(file->get()); info) {
    entry.info = std::move(*info);
  } else {
    entry.problem = info.error().message;
  }
  return entry;
}

// The new name must not be seen before the bytes are safe, nor be lost after it was acknowledged.
Status put_in_place(int directory, const std::string& part, const std::string& target, IfThere if_there) {
  const unsigned flags = if_there == IfThere::kRefuse ? RENAME_NOREPLACE : 0;
  if (renameat2(directory, part.c_str(), directory, target.c_str(), flags) != 0) {
    if (errno == EEXIST) return failure(Errc::kConflict, "there is a checkpoint of this name already");
    return write_failure("rename");
  }
  return fsync(directory) == 0 ? Status{} : Status(write_failure("fsync of the directory"));
}

}  // namespace

Status check_checkpoint_name(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const auto allowed = [&](char c) { return is_plain(c) || c == '.' || c == '_' || c == '-'; };
  if (!name.empty() && name.size() <= kCheckpointNameBytes && is_plain(name[0]) &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return {};
  }
  return failure(Errc::kInvalid,
                 "a checkpoint's name has 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first");
}

CheckpointDraft::~CheckpointDraft() {
  if (is_there_) unlinkat(directory_.get(), part_name_.c_str(), 0);
}

Result<UniqueFd> CheckpointDraft::open_part() const { return open_at(directory_.get(), part_name_, O_RDONLY); }

Result<std::unique_ptr<CheckpointStore>> CheckpointStore::open(const std::string& directory, CheckpointQuota quota) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return failure(Errc::kSystem, "cannot make '" + directory + "': " + error.message());
  UniqueFd root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return system_failure("cannot open '" + directory + "'");
  if (fchmod(root.get(), 0700) != 0) return system_failure("cannot close '" + directory + "' to others");
  std::unique_ptr<CheckpointStore> store(new CheckpointStore(std::move(root), quota));
  if (auto removed = store->remove_leftovers(); !removed) return tl::unexpected<Error>(removed.error());
  return store;
}

CheckpointStore::CheckpointStore(UniqueFd root, CheckpointQuota quota) : root_(std::move(root)), quota_(quota) {}

Result<std::vector<CheckpointEntry>> CheckpointStore::list(uid_t uid) const {
  const auto directory = directory_of(uid);
  if (!directory && directory.error().code == Errc::kNotFound) return std::vector<CheckpointEntry>{};
  if (!directory) return tl::unexpected<Error>(directory.error());
  auto names = names_in(directory->get());
  if (!names) return tl::unexpected<Error>(names.error());
  std::sort(names->begin(), names->end());
  std::vector<CheckpointEntry> entries;
  for (const std::string& file : *names) {
    const std::string name = name_of(file);
    if (name.empty()) continue;
    auto entry = read_entry(directory->get(), name);
    if (!entry && entry.error().code == Errc::kNotFound) continue;  // removed meanwhile
    if (!entry) {
      CheckpointEntry problem;
      problem.name = name;
      problem.problem = entry.error().message;
      entry = std::move(problem);
    }
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<CheckpointEntry> CheckpointStore::show(uid_t uid, std::string_view name) const {
  if (auto checked = check_checkpoint_name(name); !checked) return tl::unexpected<Error>(checked.error());
  const auto directory = directory_of(uid);
  if (!directory)
    return directory.error().code == Errc::kNotFound ? not_found(name) : tl::unexpected<Error>(directory.error());
  return read_entry(directory->get(), std::string(name));
}

Status CheckpointStore::remove(uid_t uid, std::string_view name) {
  if (auto checked = check_checkpoint_name(name); !checked) return checked;
  const auto directory = directory_of(uid);
  if (!directory)
    return directory.error().code == Errc::kNotFound ? not_found(name) : tl::unexpected<Error>(directory.error());
  if (unlinkat(directory->get(), file_name(name).c_str(), 0) != 0) {
    if (errno == ENOENT) return not_found(name);
    return system_failure("remove");
  }
  return fsync(directory->get()) == 0 ? Status{} : Status(system_failure("fsync of the directory"));
}

Result<CheckpointStore::Opened> CheckpointStore::open_checkpoint(uid_t uid, std::string_view name) const {
  if (auto checked = check_checkpoint_name(name); !checked) return tl::unexpected<Error>(checked.error());
  const auto directory = directory_of(uid);
  if (!directory)
    return directory.error().code == Errc::kNotFound ? not_found(name) : tl::unexpected<Error>(directory.error());
  auto file = open_at(directory->get(), file_name(name), O_RDONLY | O_NONBLOCK);
  if (!file) return file.error().code == Errc::kNotFound ? not_found(name) : tl::unexpected<Error>(file.error());
  auto info = read_checkpoint_info(file->get());
  if (!info) return tl::unexpected<Error>(info.error());
  return Opened{std::move(*file), std::move(*info)};
}

Result<CheckpointStore::Begun> CheckpointStore::begin(uid_t uid, std::string_view name, IfThere if_there) {
  if (auto checked = check_checkpoint_name(name); !checked) return tl::unexpected<Error>(checked.error());
  if (mkdirat(root_.get(), std::to_string(uid).c_str(), 0700) != 0 && errno != EEXIST) return write_failure("mkdir");
  auto directory = directory_of(uid);
  if (!directory) return tl::unexpected<Error>(directory.error());
  const auto use = use_of(directory->get(), name);
  if (!use) return tl::unexpected<Error>(use.error());
  if (auto room = check_room(*use, name, if_there, 0); !room) return tl::unexpected<Error>(room.error());
  std::unique_ptr<CheckpointDraft> draft(new CheckpointDraft);
  draft->uid_ = uid;
  draft->name_ = name;
  draft->part_name_ = random_part_name();
  draft->if_there_ = if_there;
  draft->directory_ = std::move(*directory);
  auto file = open_at(draft->directory_.get(), draft->part_name_, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return tl::unexpected<Error>(file.error());
  draft->is_there_ = true;
  const uint64_t left = quota_.bytes_max - std::min(use->bytes, quota_.bytes_max);
  return Begun{std::move(draft), std::move(*file), left};
}

Result<CheckpointEntry> CheckpointStore::commit(std::unique_ptr<CheckpointDraft> draft) {
  const int directory = draft->directory_.get();
  const auto part = draft->open_part();
  if (!part) return tl::unexpected<Error>(part.error());
  const auto info = read_checkpoint_info(part->get());
  if (!info) return tl::unexpected<Error>(info.error());
  if (info->trailer.lengths.payload > quota_.payload_bytes_max) {
    return failure(Errc::kTooLarge, "the checkpoint has " + format_bytes(info->trailer.lengths.payload) +
                                        " before it was compressed; checkpoints.max_bytes allows " +
                                        format_bytes(quota_.payload_bytes_max));
  }
  // Once more: others may have been written meanwhile.
  const auto use = use_of(directory, draft->name_);
  if (!use) return tl::unexpected<Error>(use.error());
  if (auto room = check_room(*use, draft->name_, draft->if_there_, info->file_bytes); !room) {
    return tl::unexpected<Error>(room.error());
  }
  if (auto put = put_in_place(directory, draft->part_name_, file_name(draft->name_), draft->if_there_); !put) {
    return tl::unexpected<Error>(put.error());
  }
  draft->is_there_ = false;
  return read_entry(directory, draft->name_);
}

Result<UniqueFd> CheckpointStore::directory_of(uid_t uid) const {
  return open_at(root_.get(), std::to_string(uid), O_RDONLY | O_DIRECTORY);
}

// What counts, without the checkpoint `name`.
Result<CheckpointStore::Use> CheckpointStore::use_of(int directory, std::string_view name) const {
  const auto names = names_in(directory);
  if (!names) return tl::unexpected<Error>(names.error());
  Use use;
  for (const std::string& file : *names) {
    const std::string other = name_of(file);
    struct stat facts {};
    if (other.empty() || fstatat(directory, file.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (other == name) {
      use.has_name = true;
      continue;
    }
    ++use.count;
    use.bytes += static_cast<uint64_t>(facts.st_size);
  }
  return use;
}

Status CheckpointStore::check_room(const Use& use, std::string_view name, IfThere if_there, uint64_t more_bytes) const {
  if (use.has_name && if_there == IfThere::kRefuse) {
    return failure(Errc::kConflict,
                   "there is a checkpoint '" + std::string(name) + "' already: remove it first, or give another name");
  }
  if (use.count >= quota_.count_max) {
    return failure(Errc::kTooLarge, "there are " + std::to_string(use.count) +
                                        " checkpoints, and checkpoints.max_per_uid allows no more: remove some");
  }
  if (use.bytes + more_bytes > quota_.bytes_max || use.bytes == quota_.bytes_max) {
    return failure(Errc::kTooLarge, "checkpoints have " + format_bytes(use.bytes) + " of the " +
                                        format_bytes(quota_.bytes_max) +
                                        " that checkpoints.quota_bytes allows: remove some");
  }
  return {};
}

Status CheckpointStore::remove_leftovers() {
  const auto users = names_in(root_.get());
  if (!users) return tl::unexpected<Error>(users.error());
  for (const std::string& user : *users) {
    const auto directory = open_at(root_.get(), user, O_RDONLY | O_DIRECTORY);
    if (!directory) continue;
    const auto names = names_in(directory->get());
    if (!names) return tl::unexpected<Error>(names.error());
    for (const std::string& name : *names) {
      if (name.starts_with(kPart)) unlinkat(directory->get(), name.c_str(), 0);
    }
  }
  return {};
}

}  // namespace capsule

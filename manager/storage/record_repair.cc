// What of a store was damaged or taken away, and what can be made again.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "manager/storage/index_folders.h"
#include "manager/storage/record_store.h"

namespace capsule {
namespace {

constexpr const char* kIndex = "index.sqlite";

// Of what goes by this name; nothing has none.
std::pair<dev_t, ino_t> place_of(int directory, const char* name) {
  struct stat facts {};
  if (fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) != 0) return {};
  return {facts.st_dev, facts.st_ino};
}

}  // namespace

// ---- the index -------------------------------------------------------------------------------------------------

// One that is damaged would hold up all records, and everything in it is elsewhere, too.
Status RecordStore::open_index() {
  const std::string file = directory_ + "/" + kIndex, aside = directory_ + "/index.damaged.sqlite";
  auto index = RecordIndex::open(file);
  if (!index && index.error().code == Errc::kInvalid) {
    finding_ = index.error().message + "; it was set aside as " + aside;
    // What SQLite has not put into the file yet goes along: it would be put into the new one.
    for (const char* ending : {"", "-wal", "-shm"}) {
      std::error_code ignored;  // a directory and a file do not take each other's place
      std::filesystem::remove_all(aside + ending, ignored);
      if (std::rename((file + ending).c_str(), (aside + ending).c_str()) != 0 && errno != ENOENT) {
        return system_failure("rename " + file + ending);
      }
    }
    index = RecordIndex::open(file);
  }
  if (!index) return tl::unexpected<Error>(index.error());
  index_ = std::move(*index);
  index_place_ = place_of(root_.get(), kIndex);
  const auto total = index_->total();
  if (!total) return tl::unexpected<Error>(total.error());
  if (total->runs > 0) return {};
  const auto rows = index_folders(*index_, runs_.get());
  if (!rows) return tl::unexpected<Error>(rows.error());
  if (finding_.empty() && *rows > 0) finding_ = file + " was missing or empty";
  if (!finding_.empty())
    finding_ += "; it was made again, with " + std::to_string(*rows) + " runs that have a directory";
  return {};
}

bool RecordStore::has_index() const { return place_of(root_.get(), kIndex) == index_place_; }

// Whoever cleans up has taken it, or put something in its place. All of it is in the one that is open.
Status RecordStore::make_index_again() {
  const std::string file = directory_ + "/" + kIndex, made = file + ".new";
  unlink(made.c_str());
  if (const Status copied = index_->copy_to(made); !copied) return copied;
  for (const char* ending : {"-wal", "-shm"}) unlink((file + ending).c_str());
  if (std::rename(made.c_str(), file.c_str()) != 0) return system_failure("rename " + made);
  auto index = RecordIndex::open(file);
  if (!index) return tl::unexpected<Error>(index.error());
  index_ = std::move(*index);
  index_place_ = place_of(root_.get(), kIndex);
  finding_ = file + " was taken away; it was written again";
  return {};
}

// ---- the log ---------------------------------------------------------------------------------------------------

// What runs were in the rest of the file, nobody knows; the audit log does, if it is kept.
void RecordStore::look_for_damage(const RecordLogReader& log) {
  for (const auto& [segment, offset] : log.damaged()) {
    if (!damaged_.insert(segment).second) continue;
    if (!finding_.empty()) finding_ += "; ";
    finding_ += "log/" + segment_name(segment) + " is damaged at byte " + std::to_string(offset) +
                ": records of runs from there on may be lost. It is kept as log/" + damaged_name(segment);
  }
}

// Makes room for it first.
Status RecordStore::set_aside(uint64_t segment) {
  const std::string place = directory_ + "/log";
  std::vector<std::string> kept;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(place, failed)) {
    if (entry.path().extension() == ".damaged") kept.push_back(entry.path().filename());
  }
  std::sort(kept.begin(), kept.end());
  for (size_t i = 0; i + kDamagedKept <= kept.size(); ++i) unlinkat(log_.get(), kept[i].c_str(), 0);
  const std::string from = segment_name(segment), to = damaged_name(segment);
  if (renameat(log_.get(), from.c_str(), log_.get(), to.c_str()) == 0 || errno == ENOENT) return {};
  return system_failure("rename " + place + "/" + from);
}

}  // namespace capsule

// A directory for a log of runs, and frames as a manager would append them.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>

#include "base/unique_fd.h"
#include "manager/storage/record_note.h"
#include "protocol/codec.h"

namespace capsule {

class RecordDirectory {
 public:
  RecordDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "capsule-records-XXXXXX").string();
    path_ = mkdtemp(name.data());
    fd_ = UniqueFd(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~RecordDirectory() { std::filesystem::remove_all(path_); }
  RecordDirectory(const RecordDirectory&) = delete;
  RecordDirectory& operator=(const RecordDirectory&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  std::string path_;
  UniqueFd fd_;
};

// Writes beyond it fail, while it lives. Of the whole process.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : before_handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit now = before_;
    now.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, before_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*before_handler_)(int);
};

inline std::string accepted_frames(const std::string& run_id, unsigned uid = 1000, int64_t created_ms = 1) {
  NoteWriter note;
  note.text("run_id", run_id).number("uid", uid).number("created_ms", created_ms).text("profile", "base");
  note.text("layers", "seccomp=on root=off");
  Execute execute;
  execute.run_id = run_id;
  execute.code.value = "print(1)\n";
  return encode_frame(Ack{static_cast<uint64_t>(NoteKind::kAccepted), note.take()}) + encode_frame(execute);
}

inline std::string output_frame(const std::string& run_id, uint64_t offset, std::string text) {
  Output output;
  output.run_id = run_id;
  output.stream = 1;
  output.offset = offset;
  output.data.value = std::move(text);
  return encode_frame(output);
}

inline std::string finished_frames(const std::string& run_id, Verdict verdict = Verdict::kOk) {
  NoteWriter note;
  note.text("run_id", run_id).number("finished_ms", 2);
  Finished finished;
  finished.run_id = run_id;
  finished.verdict = verdict;
  return encode_frame(Ack{static_cast<uint64_t>(NoteKind::kFinished), note.take()}) + encode_frame(finished);
}

}  // namespace capsule

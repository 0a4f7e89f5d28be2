// A run whose end has not been read from the log yet. Private to RecordStore's .cc files.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "manager/storage/record_info.h"
#include "manager/storage/record_store.h"

namespace capsule {

struct RecordStore::OpenRun {
  // What was read of a stream and is not in its file yet: `pending`, from `file_bytes` on.
  struct StreamFile {
    std::string pending;
    uint64_t file_bytes = 0;
    uint64_t bytes() const { return file_bytes + pending.size(); }
  };

  uid_t uid = 0;
  int64_t created_ms = 0;
  InfoJson info;
  std::string code;   // until it is in its file
  std::string trace;  // the same
  std::array<StreamFile, 2> streams;
  InfoJson results = InfoJson::array();
  Note finished_note;
  uint64_t code_bytes = 0, results_bytes = 0, trace_bytes = 0;  // in files
  uint64_t row_bytes = 0;                                       // as the index has it
  bool has_row = false;
  bool is_changed = false;  // since the files were written
};

}  // namespace capsule

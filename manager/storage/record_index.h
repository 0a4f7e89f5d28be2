// Which runs there are records of: SQLite, one connection, for the storage thread. A row has what lists are sorted and
// filtered by, and the run's information as JSON.
//
// Writes of one begin() … commit() are one transaction; a manager that dies in between has done none of them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace capsule {

struct RecordRow {
  std::string run_id;
  uid_t uid = 0;
  int64_t created_ms = 0;
  bool is_final = false;
  uint64_t bytes = 0;  // of its directory
  std::string info;    // JSON
};

class RecordIndex {
 public:
  // kInvalid: what is there is no index, or a damaged one.
  static Result<std::unique_ptr<RecordIndex>> open(const std::string& file);
  ~RecordIndex();
  RecordIndex(const RecordIndex&) = delete;
  RecordIndex& operator=(const RecordIndex&) = delete;

  // All that it has, in a file that does not exist yet. Not within a transaction.
  Status copy_to(const std::string& file);
  Status begin();
  Status commit();
  void rollback();                   // also where a failed commit has done it
  Status put(const RecordRow& row);  // a row of the same run is replaced
  Status remove(const std::string& run_id);

  Result<std::optional<RecordRow>> find(const std::string& run_id);
  // Latest first, of `uid` (0: of all), older than `before` unless that is empty; JSON of each.
  Result<std::vector<std::string>> latest(uid_t uid, const std::string& before, size_t rows_max);
  Result<std::optional<RecordRow>> oldest_final();
  Result<std::vector<RecordRow>> unfinished();

  struct Total {
    uint64_t runs = 0, bytes = 0;
  };
  Result<Total> total();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit RecordIndex(sqlite3* database) : database_(database) {}
  Status check();
  Status prepare_all();
  Status run(const char* sql);
  Result<Statement> prepare(const char* sql);
  Status step(sqlite3_stmt* statement, const std::function<void()>& row);
  tl::unexpected<Error> broken(std::string_view what) const;
  static RecordRow row_of(sqlite3_stmt* statement);

  sqlite3* database_;
  Statement put_, remove_, find_, latest_, oldest_, unfinished_, total_;
};

}  // namespace capsule

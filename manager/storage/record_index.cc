#include "manager/storage/record_index.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/unique_fd.h"

namespace capsule {
namespace {

constexpr int kBusyMs = 5000;                 // another program reads the file
constexpr int64_t kCheckedBytes = 256 << 20;  // at open(): a fraction of a second

// user_version tells a later manager what it has before it.
constexpr const char* kSchema = R"(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS runs(
  run_id TEXT PRIMARY KEY, uid INTEGER NOT NULL, created_ms INTEGER NOT NULL, final INTEGER NOT NULL,
  bytes INTEGER NOT NULL, info TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unfinished ON runs(run_id) WHERE final = 0;
PRAGMA user_version = 1;
)";

// SQLite would make one that others can read; its other files get the same mode. A FIFO in its place would keep us
// waiting.
Status make_private(const std::string& file) {
  const UniqueFd made(open(file.c_str(), O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600));
  for (const char* ending : {"", "-wal", "-shm"}) {
    struct stat facts {};
    if (lstat((file + ending).c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
      return failure(Errc::kInvalid, file + ending + " is not a regular file");
    }
  }
  if (!made || fchmod(made.get(), 0600) != 0) return system_failure("open " + file);
  return {};
}

void set_text(sqlite3_stmt* statement, int at, std::string_view text) {
  sqlite3_bind_text64(statement, at, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

std::string text_at(sqlite3_stmt* statement, int column) {
  const void* text = sqlite3_column_blob(statement, column);
  const auto bytes = static_cast<size_t>(sqlite3_column_bytes(statement, column));
  return text == nullptr ? std::string() : std::string(static_cast<const char*>(text), bytes);
}

}  // namespace

void RecordIndex::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<std::unique_ptr<RecordIndex>> RecordIndex::open(const std::string& file) {
  if (const Status ours = make_private(file); !ours) return tl::unexpected<Error>(ours.error());
  sqlite3* database = nullptr;
  const int opened = sqlite3_open_v2(file.c_str(), &database,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<RecordIndex> index(new RecordIndex(database));
  if (opened != SQLITE_OK) return index->broken("open the index of runs");
  sqlite3_busy_timeout(database, kBusyMs);
  if (const Status made = index->run(kSchema); !made) return tl::unexpected<Error>(made.error());
  if (const Status whole = index->check(); !whole) return tl::unexpected<Error>(whole.error());
  // With a whole database and our schema, it is not ours.
  if (const Status prepared = index->prepare_all(); !prepared) return failure(Errc::kInvalid, prepared.error().message);
  return index;
}

// All of it: a page that is damaged would only be met when somebody asks for what is on it. One that is very large
// would hold up the start; what is damaged in it is said by whoever meets it.
Status RecordIndex::check() {
  const auto bytes = prepare("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  int64_t size_bytes = 0;
  if (const Status done = step(bytes->get(), [&] { size_bytes = sqlite3_column_int64(bytes->get(), 0); }); !done) {
    return done;
  }
  if (size_bytes > kCheckedBytes) return {};
  const auto statement = prepare("PRAGMA quick_check(1)");
  if (!statement) return tl::unexpected<Error>(statement.error());
  std::string found;
  const Status done = step(statement->get(), [&] { found = text_at(statement->get(), 0); });
  if (!done) return done;
  return found == "ok" ? Status() : Status(failure(Errc::kInvalid, "the index of runs is damaged: " + found));
}

RecordIndex::~RecordIndex() {
  for (Statement* each : {&put_, &remove_, &find_, &latest_, &oldest_, &unfinished_, &total_}) each->reset();
  sqlite3_close(database_);
}

Status RecordIndex::prepare_all() {
  struct Wanted {
    Statement& into;
    const char* sql;
  };
  const Wanted all[] = {
      {put_, "INSERT OR REPLACE INTO runs VALUES(?, ?, ?, ?, ?, ?)"},
      {remove_, "DELETE FROM runs WHERE run_id = ?"},
      {find_, "SELECT run_id, uid, created_ms, final, bytes, info FROM runs WHERE run_id = ?"},
      {latest_,
       "SELECT info FROM runs WHERE (?1 = 0 OR uid = ?1) AND (?2 = '' OR run_id < ?2) ORDER BY run_id DESC LIMIT ?3"},
      {oldest_, "SELECT run_id, uid, created_ms, final, bytes, info FROM runs WHERE final = 1 ORDER BY run_id LIMIT 1"},
      {unfinished_, "SELECT run_id, uid, created_ms, final, bytes, info FROM runs WHERE final = 0"},
      {total_, "SELECT count(*), coalesce(sum(bytes), 0) FROM runs"}};
  for (const Wanted& wanted : all) {
    auto statement = prepare(wanted.sql);
    if (!statement) return tl::unexpected<Error>(statement.error());
    wanted.into = std::move(*statement);
  }
  return {};
}

tl::unexpected<Error> RecordIndex::broken(std::string_view what) const {
  const int code = sqlite3_errcode(database_);
  const bool is_damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  return failure(is_damaged ? Errc::kInvalid : Errc::kSystem, std::string(what) + ": " + sqlite3_errmsg(database_));
}

Status RecordIndex::copy_to(const std::string& file) {
  const auto copying = prepare("VACUUM INTO ?1");
  if (!copying) return tl::unexpected<Error>(copying.error());
  set_text(copying->get(), 1, file);
  return step(copying->get(), [] {});
}

Status RecordIndex::run(const char* sql) {
  if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return broken("the index of runs");
  return {};
}

Result<RecordIndex::Statement> RecordIndex::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return broken("the index of runs");
  }
  return Statement(statement);
}

Status RecordIndex::step(sqlite3_stmt* statement, const std::function<void()>& row) {
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) row();
  Status status = code == SQLITE_DONE ? Status{} : Status(broken("the index of runs"));
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return status;
}

RecordRow RecordIndex::row_of(sqlite3_stmt* statement) {
  RecordRow row;
  row.run_id = text_at(statement, 0);
  row.uid = static_cast<uid_t>(sqlite3_column_int64(statement, 1));
  row.created_ms = sqlite3_column_int64(statement, 2);
  row.is_final = sqlite3_column_int(statement, 3) != 0;
  row.bytes = static_cast<uint64_t>(sqlite3_column_int64(statement, 4));
  row.info = text_at(statement, 5);
  return row;
}

Status RecordIndex::begin() { return run("BEGIN"); }
Status RecordIndex::commit() { return run("COMMIT"); }
void RecordIndex::rollback() { (void)run("ROLLBACK"); }

Status RecordIndex::put(const RecordRow& row) {
  set_text(put_.get(), 1, row.run_id);
  sqlite3_bind_int64(put_.get(), 2, row.uid);
  sqlite3_bind_int64(put_.get(), 3, row.created_ms);
  sqlite3_bind_int(put_.get(), 4, row.is_final ? 1 : 0);
  sqlite3_bind_int64(put_.get(), 5, static_cast<sqlite3_int64>(row.bytes));
  set_text(put_.get(), 6, row.info);
  return step(put_.get(), [] {});
}

Status RecordIndex::remove(const std::string& run_id) {
  set_text(remove_.get(), 1, run_id);
  return step(remove_.get(), [] {});
}

Result<std::optional<RecordRow>> RecordIndex::find(const std::string& run_id) {
  std::optional<RecordRow> found;
  set_text(find_.get(), 1, run_id);
  const Status done = step(find_.get(), [&] { found = row_of(find_.get()); });
  if (!done) return tl::unexpected<Error>(done.error());
  return found;
}

Result<std::vector<std::string>> RecordIndex::latest(uid_t uid, const std::string& before, size_t rows_max) {
  std::vector<std::string> rows;
  sqlite3_bind_int64(latest_.get(), 1, uid);
  set_text(latest_.get(), 2, before);
  sqlite3_bind_int64(latest_.get(), 3, static_cast<sqlite3_int64>(rows_max));
  const Status done = step(latest_.get(), [&] { rows.push_back(text_at(latest_.get(), 0)); });
  if (!done) return tl::unexpected<Error>(done.error());
  return rows;
}

Result<std::optional<RecordRow>> RecordIndex::oldest_final() {
  std::optional<RecordRow> found;
  const Status done = step(oldest_.get(), [&] { found = row_of(oldest_.get()); });
  if (!done) return tl::unexpected<Error>(done.error());
  return found;
}

Result<std::vector<RecordRow>> RecordIndex::unfinished() {
  std::vector<RecordRow> rows;
  const Status done = step(unfinished_.get(), [&] { rows.push_back(row_of(unfinished_.get())); });
  if (!done) return tl::unexpected<Error>(done.error());
  return rows;
}

Result<RecordIndex::Total> RecordIndex::total() {
  Total total;
  const Status done = step(total_.get(), [&] {
    total.runs = static_cast<uint64_t>(sqlite3_column_int64(total_.get(), 0));
    total.bytes = static_cast<uint64_t>(sqlite3_column_int64(total_.get(), 1));
  });
  if (!done) return tl::unexpected<Error>(done.error());
  return total;
}

}  // namespace capsule

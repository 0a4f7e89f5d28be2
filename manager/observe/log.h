// The manager's log: one record a line on stderr, whatever is in the values. Workers never log through this.
//
// On a terminal: time, level and logfmt. Under journald (JOURNAL_STREAM names this very stderr): "<N>" priority and
// logfmt, no time, the journal has its own. Else: one JSON object a line.
//
// Used from the manager's threads; safe from several. Before open_log() everything from info on is logged.
//
// With LogDelivery::kByThread nobody waits for stderr's reader: records go through a queue of kLogQueueRecords to a
// thread that writes them. When it is full the oldest is lost, and counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
inline constexpr std::array kAllLogLevels{LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError};
std::string_view to_string(LogLevel level);  // debug, info, warning, error
Result<LogLevel> log_level_from_string(std::string_view word);

enum class LogFormat { kTerminal, kJournal, kJson };
LogFormat detect_log_format(int fd);

struct Field {
  std::string_view key;  // a literal of ours: [a-z_]+
  std::string value;     // anything; escaped, cut at kLogValueBytes
};

// Whom a line is about; what there is not is empty.
struct LogIds {
  std::string request_id, session, run_id;
};

inline constexpr size_t kLogValueBytes = 4096;  // longer ones end in "..."
inline constexpr size_t kLogFields = 16;        // more are left out, and "fields_left_out" says how many

// kAtOnce: the caller writes, and waits for who reads; for before and after the loop.
enum class LogDelivery { kAtOnce, kByThread };
inline constexpr size_t kLogQueueRecords = 8192;

// `on_record` is told the level of each record that was written; it must not log.
struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  std::function<void(LogLevel)> on_record = {};
  LogDelivery delivery = LogDelivery::kAtOnce;
};

// `flag` wins over CAPSULE_LOG_LEVEL, that over `configured`; each may be empty (info). A word that is no level is an
// error.
Result<LogLevel> choose_log_level(std::string_view configured, std::string_view flag = {});

// May be called again to change any of it (reload). Going back to kAtOnce ends the thread; what it cannot get rid of
// within LogSink::kCloseTime is lost.
void open_log(LogOptions options);

// Since the process began: records that the queue or stderr did not take.
uint64_t log_lines_lost();

// For what others can bring about as often as they like: one line in Seldom::kInterval for each message (a literal),
// and `left_out` says how many there were in between.
void log_warning_seldom(std::string_view message, std::initializer_list<Field> fields = {});

void log_debug(std::string_view message, std::initializer_list<Field> fields = {});
void log_info(std::string_view message, std::initializer_list<Field> fields = {});
void log_warning(std::string_view message, std::initializer_list<Field> fields = {});
void log_error(std::string_view message, std::initializer_list<Field> fields = {});

// With the ids before the fields.
void log_about(const LogIds& whom, LogLevel level, std::string_view message, std::initializer_list<Field> fields = {});

// Pure: the line without its newline.
std::string format_record(LogFormat format, LogLevel level, int64_t wall_ms, std::string_view message,
                          std::span<const Field> fields);

}  // namespace capsule

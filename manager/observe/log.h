// The manager's log: one record a line on stderr, whatever is in the values. Workers never log through this.
//
// On a terminal: time, level and logfmt. Under journald (JOURNAL_STREAM names this very stderr): "<N>" priority and
// logfmt, no time, the journal has its own. Else: one JSON object a line.
//
// Used from the manager's threads; safe from several. Before open_log() everything from info on is logged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
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

inline constexpr size_t kLogValueBytes = 4096;  // longer ones end in "..."
inline constexpr size_t kLogFields = 16;        // more are left out, and "fields_left_out" says how many

// `on_record` is told the level of each record that was written; it must not log.
struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kJson;
  std::function<void(LogLevel)> on_record;
};

// CAPSULE_LOG_LEVEL wins over `configured`; either may be empty (info). A word that is no level is an error.
Result<LogLevel> choose_log_level(std::string_view configured);

// May be called again to change any of it (reload).
void open_log(LogOptions options);

void log_debug(std::string_view message, std::initializer_list<Field> fields = {});
void log_info(std::string_view message, std::initializer_list<Field> fields = {});
void log_warning(std::string_view message, std::initializer_list<Field> fields = {});
void log_error(std::string_view message, std::initializer_list<Field> fields = {});

// Pure: the line without its newline.
std::string format_record(LogFormat format, LogLevel level, int64_t wall_ms, std::string_view message,
                          std::initializer_list<Field> fields);

}  // namespace capsule

#include "manager/observe/log.h"

#include <pthread.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/utf8.h"
#include "manager/observe/log_sink.h"
#include "manager/observe/seldom.h"

namespace capsule {
namespace {

constexpr std::string_view kCutMark = "...";

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// The priorities of syslog(3), which the journal reads from "<N>".
int journal_priority(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return 7;
    case LogLevel::kInfo: return 6;
    case LogLevel::kWarning: return 4;
    case LogLevel::kError: return 3;
  }
  return 3;
}

std::string cut(std::string_view value) {
  if (value.size() <= kLogValueBytes) return std::string(value);
  size_t end = kLogValueBytes;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return std::string(value.substr(0, end)).append(kCutMark);
}

std::string json_quote(std::string_view value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '=' || c == '"' || c == '\\') return true;
  }
  return false;
}

// For people: control characters are shown, not obeyed.
std::string logfmt_value(std::string_view raw) {
  const std::string value = escape_control(replace_invalid_utf8(cut(raw)));
  return needs_quotes(value) ? json_quote(value) : value;
}

std::string logfmt(std::string_view message, std::span<const Field> fields) {
  std::string line = "msg=" + logfmt_value(message);
  size_t count = 0;
  for (const Field& field : fields) {
    if (count++ == kLogFields) break;
    line.append(" ").append(field.key).append("=").append(logfmt_value(field.value));
  }
  if (fields.size() > kLogFields) line += " fields_left_out=" + std::to_string(fields.size() - kLogFields);
  return line;
}

std::string json_line(LogLevel level, int64_t wall_ms, std::string_view message, std::span<const Field> fields) {
  std::string line = "{\"time\":" + json_quote(format_utc(wall_ms)) + ",\"level\":" + json_quote(to_string(level)) +
                     ",\"msg\":" + json_quote(cut(message));
  size_t count = 0;
  for (const Field& field : fields) {
    if (count++ == kLogFields) break;
    line.append(",").append(json_quote(field.key)).append(":").append(json_quote(cut(field.value)));
  }
  if (fields.size() > kLogFields) {
    line.append(",\"fields_left_out\":").append(std::to_string(fields.size() - kLogFields));
  }
  return line + "}";
}

// What open_log() set; replaced as a whole, so that a record in flight keeps what it started with.
struct Log {
  LogFormat format = LogFormat::kJson;
  std::function<void(LogLevel)> on_record;
  std::shared_ptr<spdlog::logger> logger;
};

// One thread, and the queue before it.
struct LogThread {
  std::shared_ptr<LogSink> sink = std::make_shared<LogSink>();
  // Signals are the loop's.
  std::shared_ptr<spdlog::details::thread_pool> pool =
      std::make_shared<spdlog::details::thread_pool>(kLogQueueRecords, 1, [] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, nullptr);
      });
};

struct Current {
  std::mutex mutex;  // guards the rest
  std::shared_ptr<const Log> log;
  std::optional<LogThread> thread;
  uint64_t lost_before = 0;  // by threads that have ended
  std::map<std::string_view, Seldom> seldom;
};

uint64_t lost_by(const LogThread& thread) { return thread.pool->overrun_counter() + thread.sink->lost(); }

std::shared_ptr<const Log> make_log(LogOptions options, const std::optional<LogThread>& thread) {
  auto log = std::make_shared<Log>();
  log->format = options.format;
  log->on_record = std::move(options.on_record);
  if (thread) {
    log->logger = std::make_shared<spdlog::async_logger>("capsule", thread->sink, thread->pool,
                                                         spdlog::async_overflow_policy::overrun_oldest);
  } else {
    log->logger = std::make_shared<spdlog::logger>("capsule", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  }
  log->logger->set_pattern("%v");  // the line comes ready-made
  log->logger->set_level(spdlog_level(options.level));
  return log;
}

// Never destroyed: destructors of other statics may still log.
Current& current() {
  static auto* const kCurrent = new Current;
  return *kCurrent;
}

std::shared_ptr<const Log> current_log() {
  Current& shared = current();
  const std::lock_guard lock(shared.mutex);
  if (!shared.log) shared.log = make_log({LogLevel::kInfo, detect_log_format(STDERR_FILENO)}, {});
  return shared.log;
}

void write(LogLevel level, std::string_view message, std::span<const Field> fields) {
  const std::shared_ptr<const Log> log = current_log();
  if (!log->logger->should_log(spdlog_level(level))) return;
  const std::string line = format_record(log->format, level, wall_clock_ms(), message, fields);
  log->logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
  if (log->on_record) log->on_record(level);
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "error";
}

Result<LogLevel> log_level_from_string(std::string_view word) {
  for (const LogLevel level : kAllLogLevels) {
    if (to_string(level) == word) return level;
  }
  return failure(Errc::kInvalid, "log level " + json_quote(cut(word)) + " is none of debug, info, warning, error");
}

Result<LogLevel> choose_log_level(std::string_view configured, std::string_view flag) {
  if (!flag.empty()) return log_level_from_string(flag);
  const char* const from_environment = std::getenv("CAPSULE_LOG_LEVEL");
  if (from_environment != nullptr && *from_environment != '\0') {
    return log_level_from_string(from_environment).map_error([](Error error) {
      error.message.insert(0, "CAPSULE_LOG_LEVEL: ");
      return error;
    });
  }
  if (configured.empty()) return LogLevel::kInfo;
  return log_level_from_string(configured);
}

LogFormat detect_log_format(int fd) {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream != nullptr && fstat(fd, &status) == 0 &&
      stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)) {
    return LogFormat::kJournal;
  }
  return isatty(fd) == 1 ? LogFormat::kTerminal : LogFormat::kJson;
}

void open_log(LogOptions options) {
  Current& shared = current();
  std::optional<LogThread> ended;
  std::shared_ptr<const Log> log;  // the old one, after the swap: destroyed without the lock
  {
    const std::lock_guard lock(shared.mutex);
    if (options.delivery == LogDelivery::kByThread) {
      if (!shared.thread) shared.thread.emplace();
    } else {
      ended.swap(shared.thread);
    }
    log = make_log(std::move(options), shared.thread);
    shared.log.swap(log);
  }
  if (!ended) return;
  log.reset();
  ended->sink->begin_to_close();
  const std::shared_ptr<LogSink> sink = ended->sink;
  const size_t overrun = ended->pool->overrun_counter();
  ended.reset();  // writes what is queued, or gives it up
  const std::lock_guard lock(shared.mutex);
  shared.lost_before += overrun + sink->lost();
}

uint64_t log_lines_lost() {
  Current& shared = current();
  const std::lock_guard lock(shared.mutex);
  return shared.lost_before + (shared.thread ? lost_by(*shared.thread) : 0);
}

void log_warning_seldom(std::string_view message, std::initializer_list<Field> fields) {
  std::optional<uint64_t> left_out;
  {
    Current& shared = current();
    const std::lock_guard lock(shared.mutex);
    left_out = shared.seldom[message].pass(now());
  }
  if (!left_out) return;
  std::vector<Field> all(fields);
  if (*left_out > 0) all.push_back({"left_out", std::to_string(*left_out)});
  write(LogLevel::kWarning, message, all);
}

void log_debug(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::kDebug, message, fields);
}
void log_info(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::kInfo, message, fields);
}
void log_warning(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::kWarning, message, fields);
}
void log_error(std::string_view message, std::initializer_list<Field> fields) {
  write(LogLevel::kError, message, fields);
}

void log_about(const LogIds& whom, LogLevel level, std::string_view message, std::initializer_list<Field> fields) {
  std::vector<Field> all{{"request_id", whom.request_id}, {"session", whom.session}, {"run_id", whom.run_id}};
  all.insert(all.end(), fields);
  write(level, message, all);
}

std::string format_record(LogFormat format, LogLevel level, int64_t wall_ms, std::string_view message,
                          std::span<const Field> fields) {
  switch (format) {
    case LogFormat::kTerminal:
      return format_utc(wall_ms).append(" ").append(to_string(level)).append(" ").append(logfmt(message, fields));
    case LogFormat::kJournal: return "<" + std::to_string(journal_priority(level)) + ">" + logfmt(message, fields);
    case LogFormat::kJson: return json_line(level, wall_ms, message, fields);
  }
  return {};
}

}  // namespace capsule

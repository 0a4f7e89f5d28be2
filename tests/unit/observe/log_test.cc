#include "manager/observe/log.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/posix_io.h"
#include "manager/observe/seldom.h"

namespace capsule {
namespace {

constexpr int64_t kWhenMs = 1'700'000'000'123;

std::string record(LogFormat format, std::string_view message, std::initializer_list<Field> fields) {
  return format_record(format, LogLevel::kWarning, kWhenMs, message, fields);
}

// Puts a pipe in the place of stderr; text() gives what was written since.
class StderrIntoPipe {
 public:
  StderrIntoPipe() : pipe_(std::move(*make_pipe())), saved_(dup(STDERR_FILENO)) {
    REQUIRE(dup2(pipe_.second.get(), STDERR_FILENO) == STDERR_FILENO);
  }
  ~StderrIntoPipe() { dup2(saved_.get(), STDERR_FILENO); }

  std::string text() {
    fflush(stderr);
    REQUIRE(set_nonblocking(pipe_.first.get()).has_value());
    std::string all(65536, '\0');
    const ssize_t count = read(pipe_.first.get(), all.data(), all.size());
    all.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return all;
  }

 private:
  FdPair pipe_;
  UniqueFd saved_;
};

TEST_CASE("one record, three formats", "[log]") {
  const auto fields = {Field{"run_id", "r-1"}, Field{"why", "no heartbeat"}};
  CHECK(format_record(LogFormat::kTerminal, LogLevel::kWarning, kWhenMs, "worker lost", fields) ==
        "2023-11-14T22:13:20.123Z warning msg=\"worker lost\" run_id=r-1 why=\"no heartbeat\"");
  CHECK(format_record(LogFormat::kJournal, LogLevel::kWarning, kWhenMs, "worker lost", fields) ==
        "<4>msg=\"worker lost\" run_id=r-1 why=\"no heartbeat\"");
  CHECK(format_record(LogFormat::kJson, LogLevel::kWarning, kWhenMs, "worker lost", fields) ==
        "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warning\",\"msg\":\"worker lost\",\"run_id\":\"r-1\","
        "\"why\":\"no heartbeat\"}");
}

TEST_CASE("the journal's priority follows the level", "[log]") {
  CHECK(format_record(LogFormat::kJournal, LogLevel::kDebug, 0, "x", {}).starts_with("<7>"));
  CHECK(format_record(LogFormat::kJournal, LogLevel::kInfo, 0, "x", {}).starts_with("<6>"));
  CHECK(format_record(LogFormat::kJournal, LogLevel::kError, 0, "x", {}).starts_with("<3>"));
}

TEST_CASE("no value can start a second line, forge a field or drive a terminal", "[log]") {
  const std::vector<std::string> nasty{"a\nb",
                                       "a\r\n<0>msg=forged",
                                       "\x1b[2J\x1b]0;title\x07",
                                       "a\" level=error \"",
                                       std::string("a\0b", 3),
                                       "\xff\xfe bad",
                                       "\xc2\x9b"
                                       "31m",
                                       "x=y",
                                       "",
                                       "\x7f"};
  for (const std::string& value : nasty) {
    for (const LogFormat format : {LogFormat::kTerminal, LogFormat::kJournal, LogFormat::kJson}) {
      const std::string line = record(format, value, {{"key", value}});
      INFO(line);
      for (const char c : line) CHECK(static_cast<unsigned char>(c) >= ' ');
      CHECK(line.find("\xff") == std::string::npos);
      if (format != LogFormat::kJson) CHECK(line.find("\xc2\x9b") == std::string::npos);
      if (format != LogFormat::kJson) CHECK(line.find('\x7f') == std::string::npos);
    }
  }
  CHECK(record(LogFormat::kJournal, "m", {{"key", "a\" b=\"c"}}) == "<4>msg=m key=\"a\\\" b=\\\"c\"");
  CHECK(record(LogFormat::kJson, "m", {{"key", "a\nb\"c"}}).ends_with(",\"key\":\"a\\nb\\\"c\"}"));
}

TEST_CASE("text of other languages stays readable", "[log]") {
  CHECK(record(LogFormat::kJournal, "grüße", {}) == "<4>msg=grüße");
  CHECK(record(LogFormat::kJson, "grüße", {}).find("grüße") != std::string::npos);
}

TEST_CASE("a long value is cut at its limit, between characters", "[log]") {
  const std::string line = record(LogFormat::kJournal, "m", {{"key", std::string(kLogValueBytes + 1, 'x')}});
  CHECK(line == "<4>msg=m key=" + std::string(kLogValueBytes, 'x') + "...");
  const std::string umlauts = record(LogFormat::kJournal, "m", {{"key", "x" + [] {
                                                                   std::string many;
                                                                   for (size_t i = 0; i < kLogValueBytes; ++i)
                                                                     many += "ü";
                                                                   return many;
                                                                 }()}});
  CHECK(umlauts.ends_with("ü..."));
}

TEST_CASE("fields beyond the limit are left out and counted", "[log]") {
  const std::initializer_list<Field> many{{"a", "1"}, {"a", "1"}, {"a", "1"}, {"a", "1"}, {"a", "1"}, {"a", "1"},
                                          {"a", "1"}, {"a", "1"}, {"a", "1"}, {"a", "1"}, {"a", "1"}, {"a", "1"},
                                          {"a", "1"}, {"a", "1"}, {"a", "1"}, {"a", "1"}, {"b", "2"}, {"c", "3"}};
  REQUIRE(many.size() == kLogFields + 2);
  CHECK(record(LogFormat::kJournal, "m", many).ends_with(" a=1 fields_left_out=2"));
  CHECK(record(LogFormat::kJson, "m", many).ends_with(",\"fields_left_out\":2}"));
}

TEST_CASE("records below the level are neither written nor counted", "[log]") {
  std::vector<LogLevel> counted;
  std::string text;
  {
    StderrIntoPipe capture;
    open_log({LogLevel::kWarning, LogFormat::kJournal, [&](LogLevel level) { counted.push_back(level); }});
    log_debug("no");
    log_info("no");
    log_warning("yes", {{"n", "1"}});
    log_error("yes\nstill");
    text = capture.text();
  }
  open_log({});
  CHECK(text == "<4>msg=yes n=1\n<3>msg=\"yes\\nstill\"\n");
  CHECK(counted == std::vector{LogLevel::kWarning, LogLevel::kError});
}

TEST_CASE("braces in a message are text", "[log]") {
  std::string text;
  {
    StderrIntoPipe capture;
    open_log({LogLevel::kInfo, LogFormat::kJournal, nullptr});
    log_info("{} {0} %s %v", {{"f", "{}"}});
    text = capture.text();
  }
  open_log({});
  CHECK(text == "<6>msg=\"{} {0} %s %v\" f={}\n");
}

TEST_CASE("CAPSULE_LOG_LEVEL wins over the configuration, and neither may be nonsense", "[log]") {
  unsetenv("CAPSULE_LOG_LEVEL");
  CHECK(choose_log_level("").value() == LogLevel::kInfo);
  CHECK(choose_log_level("error").value() == LogLevel::kError);
  CHECK_FALSE(choose_log_level("loud").has_value());
  setenv("CAPSULE_LOG_LEVEL", "debug", 1);
  CHECK(choose_log_level("error").value() == LogLevel::kDebug);
  setenv("CAPSULE_LOG_LEVEL", "noisy", 1);
  CHECK(choose_log_level("error").error().message.find("CAPSULE_LOG_LEVEL") == 0);
  unsetenv("CAPSULE_LOG_LEVEL");
}

TEST_CASE("the journal is recognised by device and inode, a pipe gets JSON", "[log]") {
  const FdPair pipe = std::move(*make_pipe());
  struct stat status {};
  REQUIRE(fstat(pipe.second.get(), &status) == 0);
  const std::string own = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  setenv("JOURNAL_STREAM", own.c_str(), 1);
  CHECK(detect_log_format(pipe.second.get()) == LogFormat::kJournal);
  setenv("JOURNAL_STREAM", (own + "0").c_str(), 1);
  CHECK(detect_log_format(pipe.second.get()) == LogFormat::kJson);
  unsetenv("JOURNAL_STREAM");
  CHECK(detect_log_format(pipe.second.get()) == LogFormat::kJson);
}

TEST_CASE("a reader of stderr that is stuck holds nobody up, and what it does not take is counted", "[log]") {
  const uint64_t before = log_lines_lost();
  constexpr size_t kMany = 3 * kLogQueueRecords;
  uint64_t written = 0;
  {
    StderrIntoPipe capture;  // 64 KiB, and nobody reads
    open_log({LogLevel::kInfo, LogFormat::kJson, {}, LogDelivery::kByThread});
    for (size_t i = 0; i < kMany; ++i) log_info("a line of some length, so that the pipe is full before long");
    open_log({});
    const std::string text = capture.text();
    written = static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  }
  CHECK(log_lines_lost() - before > 0);
  CHECK(written + (log_lines_lost() - before) == kMany);
}

TEST_CASE("a reader that takes its time gets every line in order", "[log]") {
  const uint64_t before = log_lines_lost();
  std::string text;
  {
    StderrIntoPipe capture;
    open_log({LogLevel::kInfo, LogFormat::kJournal, {}, LogDelivery::kByThread});
    for (int i = 0; i < 100; ++i) log_info("line", {{"number", std::to_string(i)}});
    open_log({});
    text = capture.text();
  }
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += "<6>msg=line number=" + std::to_string(i) + "\n";
  CHECK(text == expected);
  CHECK(log_lines_lost() == before);
}

TEST_CASE("what comes again and again is logged once in a while, with how often it came", "[log]") {
  Seldom seldom;
  const TimePoint start = TimePoint{} + seconds(5);
  CHECK(seldom.pass(start) == 0u);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(seldom.pass(start + milliseconds(i)));
  CHECK(seldom.pass(start + Seldom::kInterval) == 1000u);
  CHECK_FALSE(seldom.pass(start + Seldom::kInterval + seconds(1)));
  CHECK(seldom.pass(start + 3 * Seldom::kInterval) == 1u);
  std::string text;
  {
    StderrIntoPipe capture;
    open_log({LogLevel::kInfo, LogFormat::kJournal});
    for (int i = 0; i < 1000; ++i) log_warning_seldom("a condition of this test", {{"n", std::to_string(i)}});
    text = capture.text();
  }
  open_log({});
  CHECK(text == "<4>msg=\"a condition of this test\" n=0\n");
}

TEST_CASE("the flag for the level stands above the environment, that above the configuration", "[log]") {
  setenv("CAPSULE_LOG_LEVEL", "error", 1);
  CHECK(choose_log_level("info", "debug").value() == LogLevel::kDebug);
  CHECK(choose_log_level("info", "").value() == LogLevel::kError);
  CHECK_FALSE(choose_log_level("info", "loud"));
  unsetenv("CAPSULE_LOG_LEVEL");
  CHECK(choose_log_level("warning", "").value() == LogLevel::kWarning);
}

}  // namespace
}  // namespace capsule

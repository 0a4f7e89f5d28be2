// The chain of an audit log: whatever is done to a log afterwards is found.
#include "protocol/audit_chain.h"

#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <vector>

namespace capsule {
namespace {

using Lines = std::vector<std::string>;

// A log of two files, as the manager writes it; the second file begins at line `kSecondFile`.
constexpr size_t kLines = 60, kSecondFile = 40;

Lines make_log(AuditHead& head) {
  Lines lines;
  for (size_t i = 0; i < kLines; ++i) {
    if (i == 0 || i == kSecondFile) {
      lines.push_back(make_audit_line(head, kAuditFileBegin, "\"why\":\"size\""));
      continue;
    }
    const std::string object = "\"uid\":1000,\"object\":\"run:" + std::to_string(i * 7919) + "\",\"outcome\":\"ok\"";
    lines.push_back(make_audit_line(head, i % 3 == 0 ? "run.submit" : "run.finish", object));
  }
  return lines;
}

std::string join(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

Lines split(const std::string& text) {
  Lines lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Status check(const Lines& lines, std::optional<AuditHead> head) {
  AuditCheck check(head, 1);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i == 0 || i == kSecondFile) check.begin_file();
    if (const Status good = check.line(lines[i]); !good) return good;
  }
  return check.end();
}

using Random = std::mt19937_64;
size_t below(Random& random, size_t limit) { return std::uniform_int_distribution<size_t>(0, limit - 1)(random); }

// What somebody could do to a log who wants it to say something else. Each changes it, or leaves it for another try.
const std::vector<std::function<void(Random&, Lines&)>> kEdits{
    [](Random& random, Lines& lines) {  // one byte of one line
      std::string& line = lines[below(random, lines.size())];
      line[below(random, line.size())] = static_cast<char>(below(random, 256));
    },
    [](Random& random, Lines& lines) {  // a byte taken out
      std::string& line = lines[below(random, lines.size())];
      line.erase(below(random, line.size()), 1);
    },
    [](Random& random, Lines& lines) {  // text put in
      std::string& line = lines[below(random, lines.size())];
      line.insert(below(random, line.size() + 1), "0");
    },
    [](Random& random, Lines& lines) {  // some lines taken out, wherever they are
      const size_t first = below(random, lines.size());
      const size_t count = 1 + below(random, lines.size() - first);
      lines.erase(lines.begin() + static_cast<long>(first), lines.begin() + static_cast<long>(first + count));
    },
    [](Random& random, Lines& lines) {
      std::swap(lines[below(random, lines.size())], lines[below(random, lines.size())]);
    },
    [](Random& random, Lines& lines) {  // a line twice
      const size_t at = below(random, lines.size());
      lines.insert(lines.begin() + static_cast<long>(below(random, lines.size())), std::string(lines[at]));
    },
    [](Random& random, Lines& lines) {  // the end cut off, also inside a line
      std::string text = join(lines);
      text.resize(below(random, text.size()));
      lines = split(text);
    },
    [](Random& random, Lines& lines) {  // one line replaced, and every later hash computed anew
      AuditHead head;
      const size_t at = below(random, lines.size());
      for (size_t i = 0; i < lines.size(); ++i) {
        const size_t action = lines[i].find("\"action\":\"") + 10;
        const std::string word = lines[i].substr(action, lines[i].find('"', action) - action);
        const size_t rest = action + word.size() + 2;
        lines[i] = make_audit_line(head, word,
                                   i == at ? "\"forged\":true" : lines[i].substr(rest, lines[i].size() - rest - 1));
      }
    }};

TEST_CASE("of 10,000 random edits of an audit log 10,000 are found", "[audit]") {
  AuditHead head;
  const Lines log = make_log(head);
  REQUIRE(check(log, head));
  Random random(20261122);
  size_t found = 0;
  std::vector<size_t> of_kind(kEdits.size());
  while (found < 10'000) {
    Lines edited = log;
    const size_t kind = found % kEdits.size();
    kEdits[kind](random, edited);
    if (edited == log) continue;
    INFO("edit " << found << " of kind " << kind << ":\n" << join(edited));
    REQUIRE_FALSE(check(edited, head));
    ++found;
    ++of_kind[kind];
  }
  CHECK(found == 10'000);
  for (const size_t count : of_kind) CHECK(count == 1'250);
}

TEST_CASE("a log that went on after its head was kept is whole", "[audit]") {
  AuditHead head;
  Lines log = make_log(head);
  const AuditHead kept = head;
  log.push_back(make_audit_line(head, "manager.stop", ""));
  CHECK(check(log, kept));
  CHECK(check(log, head));
  CHECK(check(log, std::nullopt));
  CHECK(check(log, AuditHead{}));
}

TEST_CASE("without a head only the end can be cut off unseen", "[audit]") {
  AuditHead head;
  Lines log = make_log(head);
  log.pop_back();
  CHECK(check(log, std::nullopt));
  CHECK(check(log, head).error().message.find("cut off") != std::string::npos);
  log.erase(log.begin() + 5);
  CHECK_FALSE(check(log, std::nullopt));
}

TEST_CASE("a later file alone says how many lines came before it", "[audit]") {
  AuditHead head;
  const Lines log = make_log(head);
  AuditCheck later(head);
  later.begin_file();
  for (size_t i = kSecondFile; i < log.size(); ++i) REQUIRE(later.line(log[i]));
  CHECK(later.end());
  CHECK(later.lines_before() == kSecondFile);
  CHECK(later.lines() == kLines - kSecondFile);
  CHECK(later.head() == head);
  AuditCheck all(head, 1);
  all.begin_file();
  CHECK_FALSE(all.line(log[kSecondFile]));
}

TEST_CASE("a file has to begin with the line that says so, and only there", "[audit]") {
  AuditHead head;
  const std::string begin = make_audit_line(head, kAuditFileBegin, ""), next = make_audit_line(head, "run.submit", "");
  AuditCheck cut;
  cut.begin_file();
  CHECK_FALSE(cut.line(next));
  AuditCheck twice;
  twice.begin_file();
  REQUIRE(twice.line(begin));
  AuditHead after{1, sha256(begin)};
  CHECK_FALSE(twice.line(make_audit_line(after, kAuditFileBegin, "")));
  AuditCheck empty;
  empty.begin_file();
  CHECK_FALSE(empty.end());
}

TEST_CASE("heads are written and read the same way", "[audit]") {
  AuditHead head;
  CHECK(audit_head_from_string(to_string(head)).value() == head);
  (void)make_audit_line(head, kAuditFileBegin, "");
  CHECK(to_string(head).starts_with("1:"));
  CHECK(audit_head_from_string(to_string(head)).value() == head);
  const std::string zeros(64, '0');
  for (const std::string& text : {std::string(), std::string("1"), "1:" + zeros + "0", ":" + zeros, "01:" + zeros,
                                  "1:" + zeros.substr(1) + "G", "-1:" + zeros, "1:" + zeros.substr(1)}) {
    INFO(text);
    CHECK_FALSE(audit_head_from_string(text));
  }
}

}  // namespace
}  // namespace capsule

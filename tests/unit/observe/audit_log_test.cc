// The audit log on a disk: what is kept, what a kill or a full disk leaves, and that the chain goes on.
#include "manager/observe/audit_log.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/posix_io.h"
#include "protocol/audit_file.h"
#include "tests/unit/manager/temp_tree.h"

namespace capsule {
namespace {

using Json = nlohmann::json;
constexpr AuditFileLimits kWide{1 << 20, 4};
const AuditFile::Stamp kStamp = [] { return std::string("\"time\":\"T\""); };

AuditFile open_file(const TempTree& tree, AuditFileLimits limits = kWide) {
  auto file = AuditFile::open(tree.path(""), "audit", limits, kStamp);
  REQUIRE(file);
  return std::move(*file);
}

void put(AuditFile& file, size_t count = 1) {
  for (size_t i = 0; i < count; ++i) {
    file.add("run.submit", "\"uid\":1");
    REQUIRE(file.flush());
  }
}

std::vector<std::string> files_of(const std::string& directory, const std::string& begin) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(begin) && name.ends_with(".jsonl")) names.push_back(entry.path().string());
  }
  std::sort(names.begin(), names.end());  // "-" sorts before "."
  return names;
}

// All files of a log as one chain, up to its head.
Status whole(const TempTree& tree, const AuditHead& head) {
  AuditCheck check(head);
  for (const std::string& path : files_of(tree.path(""), "audit")) {
    const auto end = check_audit_file(path, check);
    if (!end) return tl::unexpected<Error>(end.error());
    if (end->torn_bytes > 0) return failure(Errc::kInvalid, "torn");
  }
  return check.end();
}

std::vector<Json> read_lines(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

AuditOptions options_for(const TempTree& tree) { return {tree.path("audit"), 64 << 20, 64 << 20, 4}; }

}  // namespace

TEST_CASE("a log goes on where the manager before left it", "[audit]") {
  const TempTree tree;
  AuditHead head;
  for (int start = 0; start < 3; ++start) {
    AuditFile file = open_file(tree);
    CHECK(file.head().sequence == (start == 0 ? 1 : head.sequence));
    put(file, 5);
    head = file.head();
    if (start != 1) REQUIRE(file.sync());  // the second one was killed
    CHECK(file.take_finding().empty());
  }
  CHECK(head.sequence == 16);
  CHECK(whole(tree, head));
}

TEST_CASE("a line that was never finished is taken off, and the log says so", "[audit]") {
  const TempTree tree;
  {
    AuditFile file = open_file(tree);
    put(file, 3);
    REQUIRE(file.sync());
  }
  std::ofstream(tree.path("audit.jsonl"), std::ios::app) << "{\"seq\":5,\"prev\":\"00";
  AuditFile file = open_file(tree);
  CHECK(file.take_finding().find("19 bytes") != std::string::npos);
  put(file);
  CHECK(whole(tree, file.head()));
  const auto lines = read_lines(tree.path("audit.jsonl"));
  REQUIRE(lines.size() == 6);
  CHECK(lines[4]["action"] == "file.mended");
  CHECK(lines[4]["torn_bytes"] == 19);
}

TEST_CASE("files are cut at their size, the chain goes on, the oldest go", "[audit]") {
  const TempTree tree;
  AuditFile file = open_file(tree, {1000, 3});
  put(file, 24);
  CHECK(files_of(tree.path(""), "audit-").size() > 1);
  CHECK(whole(tree, file.head()));
  put(file, 60);
  CHECK(files_of(tree.path(""), "audit-").size() == 3);
  CHECK(whole(tree, file.head()));
  CHECK(file.lines() == file.head().sequence);
  AuditFile again = open_file(tree, {1000, 3});
  CHECK(again.take_finding().empty());
  CHECK(again.head() == file.head());
}

TEST_CASE("a manager that is killed between two files leaves a whole log", "[audit]") {
  const TempTree tree;
  AuditHead head;
  {
    AuditFile file = open_file(tree);
    put(file, 4);
    REQUIRE(file.sync());
    head = file.head();
  }
  std::filesystem::rename(tree.path("audit.jsonl"), tree.path("audit-00000000000000000001.jsonl"));
  AuditFile file = open_file(tree);
  CHECK(file.take_finding().empty());
  CHECK(file.head().sequence == head.sequence + 1);
  CHECK(whole(tree, file.head()));
}

TEST_CASE("a log that was changed or cut while nobody wrote it is set aside and said", "[audit]") {
  for (const bool cut : {false, true}) {
    const TempTree tree;
    AuditHead head;
    {
      AuditFile file = open_file(tree);
      put(file, 6);
      REQUIRE(file.sync());
      head = file.head();
    }
    auto text = read_file(tree.path("audit.jsonl"), 1 << 20).value();
    if (cut) {
      text.resize(text.rfind('\n', text.size() - 2) + 1);
    } else {
      text.replace(text.find("\"uid\":1"), 7, "\"uid\":2");
    }
    std::ofstream(tree.path("audit.jsonl"), std::ios::trunc) << text;
    AuditFile file = open_file(tree);
    CHECK(file.take_finding().find(cut ? "cut off" : "was changed") != std::string::npos);
    CHECK(files_of(tree.path(""), "audit.damaged-").size() == 1);
    CHECK(file.head().sequence == head.sequence + 1);
    AuditCheck check(file.head());
    CHECK(check_audit_file(tree.path("audit.jsonl"), check));
    CHECK(check.end());
    CHECK(read_lines(tree.path("audit.jsonl"))[0]["why"] == "after_damage");
  }
}

TEST_CASE("a log that was taken away is missed at the next start, with or without the files before it", "[audit]") {
  struct Case {
    const char* what;
    bool removes_current, removes_before, removes_head;
  };
  for (const Case& each : {Case{"the current file", true, false, false}, Case{"all files", true, true, false},
                           Case{"the current file and the head", true, false, true}}) {
    const TempTree tree;
    AuditHead head;
    {
      AuditFile file = open_file(tree, {1000, 8});
      put(file, 9);
      REQUIRE(file.sync());
      head = file.head();
    }
    REQUIRE(files_of(tree.path(""), "audit-").size() == 1);
    if (each.removes_current) std::filesystem::remove(tree.path("audit.jsonl"));
    if (each.removes_before) std::filesystem::remove(files_of(tree.path(""), "audit-")[0]);
    if (each.removes_head) std::filesystem::remove(tree.path("audit.head"));
    AuditFile file = open_file(tree);
    CAPTURE(each.what);
    CHECK(file.take_finding().find("was taken away") != std::string::npos);
    CHECK(file.damages() == 1);
    const auto lines = read_lines(tree.path("audit.jsonl"));
    REQUIRE(lines.size() == 1);
    CHECK(lines[0]["why"] == "after_damage");
    if (!each.removes_head) CHECK(lines[0]["seq"] == head.sequence + 1);
    CHECK(open_file(tree).damages() == 0);  // once
  }
}

TEST_CASE("a head that cannot be read is said, and the log goes on", "[audit]") {
  const TempTree tree;
  {
    AuditFile file = open_file(tree);
    put(file, 3);
    REQUIRE(file.sync());
  }
  std::ofstream(tree.path("audit.head")) << "nonsense";
  AuditFile file = open_file(tree);
  CHECK(file.take_finding().find("audit.head cannot be used") != std::string::npos);
  CHECK(file.damages() == 1);
  put(file);
  CHECK(whole(tree, file.head()));
}

TEST_CASE("a log that is removed, replaced or cut while it is written goes on in a new file that says so", "[audit]") {
  const std::string kRemoved = "removed", kReplaced = "replaced", kCut = "cut";
  for (const std::string& how : {kRemoved, kReplaced, kCut}) {
    CAPTURE(how);
    const TempTree tree;
    AuditFile file = open_file(tree);
    put(file, 3);
    REQUIRE(file.sync());
    const std::string current = tree.path("audit.jsonl");
    if (how != kCut) std::filesystem::remove(current);
    if (how != kRemoved) std::ofstream(current, std::ios::trunc).flush();
    put(file, 2);
    REQUIRE(file.sync());
    CHECK(file.damages() == 1);
    CHECK_FALSE(file.take_finding().empty());
    CHECK(file.lost() == 0);
    const auto lines = read_lines(current);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0]["why"] == "after_damage");
    CHECK(lines[0]["seq"] == 5);
    CHECK(files_of(tree.path(""), "audit.damaged-").size() == (how == kRemoved ? 0 : 1));
    AuditCheck check(file.head());
    CHECK(check_audit_file(current, check));
    CHECK(check.end());
    CHECK(check.damage_said() == 5);
    CHECK(open_file(tree).damages() == 0);
  }
}

TEST_CASE("what comes while a log has no directory is lost, counted, and said once there is one again", "[audit]") {
  const TempTree tree;
  AuditLog log;
  REQUIRE(log.open(options_for(tree)));
  const auto record = [&log] { log.record(label::AuditLogKind::kAudit, {.action = "run.submit", .outcome = "ok"}); };
  const auto totals = [&log] { return log.totals(label::AuditLogKind::kAudit); };
  record();
  while (totals().written < 2) std::this_thread::sleep_for(milliseconds(1));
  std::filesystem::rename(tree.path("audit"), tree.path("moved"));
  std::ofstream(tree.path("audit")).flush();  // in the way
  record();
  while (totals().lost == 0) std::this_thread::sleep_for(milliseconds(1));
  CHECK(totals().is_failing);
  CHECK(totals().written == 2);
  std::filesystem::remove(tree.path("audit"));
  record();
  log.close();
  CHECK_FALSE(totals().is_failing);
  CHECK(totals().lost == 1);
  CHECK(totals().damages == 1);
  const auto lines = read_lines(tree.path("audit/audit.jsonl"));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["why"] == "after_damage");
  CHECK(lines[1]["lines"] == 1);
  CHECK(lines[2]["action"] == "run.submit");
}

TEST_CASE("what a full disk did not take is counted, said once there is room, and breaks no chain", "[audit]") {
  const TempTree tree;
  AuditFile file = open_file(tree);
  put(file, 3);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  const auto size = std::filesystem::file_size(tree.path("audit.jsonl"));
  const rlimit tight{size + 40, before.rlim_max};  // not even one line
  setrlimit(RLIMIT_FSIZE, &tight);
  std::vector<bool> taken;
  for (int i = 0; i < 2; ++i) {
    file.add("run.submit", "\"uid\":1");
    taken.push_back(file.flush().has_value());
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  CHECK(taken == std::vector{false, false});
  CHECK(std::filesystem::file_size(tree.path("audit.jsonl")) == size);
  CHECK(file.lost() == 2);
  put(file);
  CHECK(whole(tree, file.head()));
  const auto lines = read_lines(tree.path("audit.jsonl"));
  CHECK(lines[4]["action"] == "lines.lost");
  CHECK(lines[4]["lines"] == 2);
}

TEST_CASE("a record has who, what, to what, with what outcome, when and on whose request", "[audit]") {
  const TempTree tree;
  AuditLog log;
  REQUIRE(log.open(options_for(tree)));
  log.record(label::AuditLogKind::kAudit, {.action = "run.submit",
                                           .object_kind = "run",
                                           .object = "r1",
                                           .outcome = "ok",
                                           .uid = 1000,
                                           .request_id = "req-1"});
  log.record(label::AuditLogKind::kAudit,
             {.action = "http.get", .object_kind = "route", .object = "/info", .outcome = "ok", .key = "ci\n\"x\xff"});
  log.record(label::AuditLogKind::kDecisions, {.action = "run",
                                               .object_kind = "run",
                                               .object = "r1",
                                               .outcome = "refused",
                                               .uid = 0,
                                               .reason = "queue_full",
                                               .profile = "base"});
  log.close();
  const auto lines = read_lines(log.directory() + "/audit.jsonl");
  REQUIRE(lines.size() == 3);
  CHECK(lines[1]["seq"] == 2);
  CHECK(lines[1]["uid"] == 1000);
  CHECK(lines[1]["action"] == "run.submit");
  CHECK(lines[1]["object"] == "run:r1");
  CHECK(lines[1]["outcome"] == "ok");
  CHECK(lines[1]["request_id"] == "req-1");
  CHECK(lines[1]["time"].get<std::string>().ends_with("Z"));
  CHECK(lines[1]["monotonic_us"].get<int64_t>() > 0);
  CHECK(lines[2]["key"] == "ci\n\"x\xEF\xBF\xBD");
  CHECK(lines[2]["prev"] != lines[1]["prev"]);
  const auto decisions = read_lines(log.directory() + "/decisions.jsonl");
  REQUIRE(decisions.size() == 2);
  CHECK(decisions[1]["reason"] == "queue_full");
  CHECK(decisions[1]["profile"] == "base");
  CHECK(log.totals(label::AuditLogKind::kAudit).written == 3);
  struct stat status {};
  REQUIRE(stat((log.directory() + "/audit.jsonl").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("records beyond the queue are lost, counted, and said in the log", "[audit]") {
  const TempTree tree;
  AuditLog log;
  REQUIRE(log.open(options_for(tree)));
  constexpr size_t kMany = 20 * AuditLog::kQueuedRecords;
  for (size_t i = 0; i < kMany; ++i) log.record(label::AuditLogKind::kAudit, {.action = "run.submit", .outcome = "ok"});
  log.close();
  const auto totals = log.totals(label::AuditLogKind::kAudit);
  size_t submits = 0, said = 0;
  for (const Json& line : read_lines(log.directory() + "/audit.jsonl")) {
    submits += line["action"] == "run.submit";
    if (line["action"] == "lines.lost") said += line["lines"].get<size_t>();
  }
  CHECK(submits + totals.lost == kMany);
  CHECK(said == totals.lost);
}

TEST_CASE("managers that share a state directory keep logs of their own", "[audit]") {
  const TempTree tree;
  AuditLog one, other;
  REQUIRE(one.open(options_for(tree)));
  REQUIRE(other.open(options_for(tree)));
  CHECK(one.directory() != other.directory());
  one.close();
  other.close();
}

TEST_CASE("a log that is switched off leaves no file", "[audit]") {
  const TempTree tree;
  AuditLog log;
  REQUIRE(log.open({tree.path("audit"), 0, 0, 4}));
  log.record(label::AuditLogKind::kAudit, {.action = "run.submit"});
  CHECK(std::filesystem::is_empty(tree.path("")));
  AuditLog one;
  REQUIRE(one.open({tree.path("audit"), 0, 1 << 20, 4}));
  one.record(label::AuditLogKind::kAudit, {.action = "run.submit"});
  one.close();
  CHECK_FALSE(std::filesystem::exists(one.directory() + "/audit.jsonl"));
  CHECK(std::filesystem::exists(one.directory() + "/decisions.jsonl"));
}

TEST_CASE("a log that was taken away with its head is missed at the next start", "[audit]") {
  using label::AuditLogKind;
  for (const AuditLogKind kind : label::kAllAuditLogKinds) {
    const TempTree tree;
    const std::string name(to_string(kind));
    INFO(name);
    {
      AuditLog log;
      REQUIRE(log.open(options_for(tree)));
      log.record(kind, {.action = "run.submit"});
    }
    for (const char* ending : {".jsonl", ".head"}) std::filesystem::remove(tree.path("audit/" + name + ending));
    AuditLog next;
    REQUIRE(next.open(options_for(tree)));
    CHECK(next.totals(kind).damages == 1);
    next.close();
    CHECK(read_lines(tree.path("audit/" + name + ".jsonl")).at(0)["why"] == "after_damage");
    AuditLog later;
    REQUIRE(later.open(options_for(tree)));
    CHECK(later.totals(kind).damages == 0);
  }
}

TEST_CASE("a log that was switched off meanwhile is not missed", "[audit]") {
  const TempTree tree;
  for (const uint64_t decision_bytes : {1 << 20, 0, 1 << 20}) {
    AuditLog log;
    REQUIRE(log.open({tree.path("audit"), 1 << 20, decision_bytes, 4}));
    CHECK(log.totals(label::AuditLogKind::kDecisions).damages == 0);
    log.close();
    for (const char* ending : {".jsonl", ".head"}) {
      if (decision_bytes == 0) std::filesystem::remove(tree.path(std::string("audit/decisions") + ending));
    }
  }
}

TEST_CASE("FIFOs in the place of a log's files keep nobody waiting", "[audit]") {
  for (const char* name : {"audit.jsonl", "audit.head", "audit.head.part", "audit.next", "kept", "kept.part"}) {
    INFO(name);
    const TempTree tree;
    std::filesystem::create_directory(tree.path("audit"));
    REQUIRE(mkfifo(tree.path(std::string("audit/") + name).c_str(), 0600) == 0);
    AuditLog log;
    AuditOptions options = options_for(tree);
    options.file_bytes = 1024;  // so that it is cut, too
    REQUIRE(log.open(options));
    for (int i = 0; i < 50; ++i) log.record(label::AuditLogKind::kAudit, {.action = "run.submit"});
    log.close();
    CHECK(log.totals(label::AuditLogKind::kAudit).lost == 0);
  }
}

}  // namespace capsule

// PROTOCOL.md and fields.h say the same: each message has a section, each field a row in it, and no row is left over.
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "protocol/codec.h"
#include "protocol/limits.h"
#include "protocol/verdict.h"
#include "tests/unit/protocol/for_each_message.h"
#include "tests/unit/protocol/source_files.h"

namespace capsule {
namespace {

const std::string& spec() {
  static const std::string kText = read_whole(source_path("protocol/PROTOCOL.md")).value_or("");
  return kText;
}

// From the heading "### `name`" to the next heading of the same or a higher rank.
std::string section_of(std::string_view name) {
  const size_t start = spec().find("\n### `" + std::string(name) + "`");
  if (start == std::string::npos) return {};
  const size_t end = spec().find("\n##", start + 4);
  return spec().substr(start, end == std::string::npos ? end : end - start);
}

// Name to "yes" or "no", from rows "| `name` | type | required | …".
std::set<std::pair<std::string, std::string>> rows_of(const std::string& section) {
  std::set<std::pair<std::string, std::string>> rows;
  std::istringstream lines(section);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string name = line.substr(3, line.find('`', 3) - 3);
    rows.emplace(name, line.find("| yes |") != std::string::npos ? "yes" : "no");
  }
  return rows;
}

template <class T>
void check_section(std::string_view name) {
  INFO(name);
  const std::string section = section_of(name);
  REQUIRE_FALSE(section.empty());
  std::set<std::pair<std::string, std::string>> expected;
  for (const FieldFact& field : field_facts<T>()) {
    expected.emplace(field.name, field.need == fields::kRequired ? "yes" : "no");
  }
  CHECK(rows_of(section) == expected);
}

// The bytes of the code block after "**Worked bytes.**": the hexadecimal pairs at the start of each line.
std::string worked_bytes() {
  std::istringstream lines(spec().substr(std::min(spec().size(), spec().find("**Worked bytes.**"))));
  std::string line;
  while (std::getline(lines, line) && line != "```") continue;
  std::string bytes;
  while (std::getline(lines, line) && line != "```") {
    std::istringstream pairs(line.substr(0, 34));
    for (std::string pair; pairs >> pair;) bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
  }
  return bytes;
}

}  // namespace

TEST_CASE("the worked bytes in PROTOCOL.md are what the codec writes") {
  CHECK(worked_bytes() == encode_frame(Ping{.id = 12, .execute = true}));
}

TEST_CASE("each message has a section in PROTOCOL.md with exactly its fields") {
  for_each_message([](const auto& message) { check_section<std::remove_cvref_t<decltype(message)>>(message.kType); });
}

TEST_CASE("each nested map has a section in PROTOCOL.md with exactly its fields") {
  check_section<Layer>("layer");
  check_section<Mount>("mount");
  check_section<RaisedError>("raised");
  check_section<OutputCount>("output count");
  check_section<Evidence>("evidence");
  check_section<Usage>("usage");
  check_section<SessionLimits>("session limits");
  check_section<FileEntry>("file entry");
  check_section<Rollback>("rollback");
  check_section<Fallback>("fallback");
}

TEST_CASE("each verdict, error code and reserved name is in PROTOCOL.md") {
  for (const Verdict verdict : kAllVerdicts) {
    CHECK(spec().find("`" + std::string(to_string(verdict)) + "`") != std::string::npos);
  }
  for (const char* word : {"invalid", "too_large", "not_found", "conflict", "refused", "unavailable", "timed_out",
                           "closed", "system", "inspect", "call", "reply"}) {
    CHECK(spec().find("`" + std::string(word) + "`") != std::string::npos);
  }
}

TEST_CASE("the limits in PROTOCOL.md are those of limits.h") {
  const std::vector<std::pair<std::string, uint64_t>> limits{{"kFrameBytes", limits::kFrameBytes},
                                                             {"kHelloBytes", limits::kHelloBytes},
                                                             {"kPathBytes", limits::kPathBytes},
                                                             {"kPathDepth", limits::kPathDepth},
                                                             {"kFileChunkBytes", limits::kFileChunkBytes},
                                                             {"kDepth", limits::kDepth},
                                                             {"kMapEntries", limits::kMapEntries},
                                                             {"kArrayEntries", limits::kArrayEntries},
                                                             {"kStringBytes", limits::kStringBytes},
                                                             {"kValues", limits::kValues},
                                                             {"kCodeBytes", limits::kCodeBytes},
                                                             {"kIdBytes", limits::kIdBytes},
                                                             {"kFilenameBytes", limits::kFilenameBytes},
                                                             {"kArguments", limits::kArguments},
                                                             {"kDurationMs", limits::kDurationMs},
                                                             {"kOutputChunkBytes", limits::kOutputChunkBytes},
                                                             {"kInputChunkBytes", limits::kInputChunkBytes},
                                                             {"kInputWindowBytes", limits::kInputWindowBytes},
                                                             {"kBundleBytes", limits::kBundleBytes},
                                                             {"kTracebackBytes", limits::kTracebackBytes},
                                                             {"kStackBytes", limits::kStackBytes},
                                                             {"kRequired", limits::kRequired},
                                                             {"kSecrets", limits::kSecrets},
                                                             {"kSecretBytes", limits::kSecretBytes},
                                                             {"kLastOutputBytes", limits::kLastOutputBytes},
                                                             {"kNoteBytes", limits::kNoteBytes},
                                                             {"kLostRuns", limits::kLostRuns},
                                                             {"kNotCaptured", limits::kNotCaptured},
                                                             {"kRequestIdBytes", limits::kRequestIdBytes},
                                                             {"kTraceparentBytes", limits::kTraceparentBytes},
                                                             {"kMetricNameBytes", limits::kMetricNameBytes},
                                                             {"kMetricLabels", limits::kMetricLabels},
                                                             {"kMetricLabelBytes", limits::kMetricLabelBytes},
                                                             {"kRecordRows", limits::kRecordRows}};
  for (const auto& [name, value] : limits) {
    INFO(name);
    CHECK(spec().find("| `" + name + "` | " + std::to_string(value) + " |") != std::string::npos);
  }
}

}  // namespace capsule

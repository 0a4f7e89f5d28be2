// docs/METRICS.md and the manager must name the same metrics, with the same types and labels.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "base/posix_io.h"
#include "manager/observe/metrics.h"

namespace capsule {
namespace {

struct Description {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const Description&) const = default;
};
using Descriptions = std::map<std::string, Description>;

std::string describe(const Description& description) {
  std::string text = description.type;
  for (const std::string& name : description.labels) text += " " + name;
  return text;
}

// `name{a="x",le="1"} 2` -> {a}
std::set<std::string> labels_of(const std::string& sample) {
  std::set<std::string> labels;
  const size_t open = sample.find('{');
  if (open == std::string::npos) return labels;
  std::istringstream inside(sample.substr(open + 1, sample.find('}') - open - 1));
  for (std::string pair; std::getline(inside, pair, ',');) labels.insert(pair.substr(0, pair.find('=')));
  labels.erase("le");
  return labels;
}

Descriptions exposed() {
  Metrics metrics("0.1.0", 0);
  metrics.register_profile("base");
  Descriptions all;
  std::istringstream text(metrics.expose());
  std::string current;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string hash, keyword, name, type;
    if (line.starts_with("# TYPE")) {
      words >> hash >> keyword >> name >> type;
      current = name;
      all[current].type = type;
    } else if (!line.starts_with("#")) {
      all[current].labels.merge(labels_of(line));
    }
  }
  return all;
}

std::string trim(const std::string& text, const char* what) {
  const size_t first = text.find_first_not_of(what);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(what) - first + 1);
}

// Rows look like: | `name` | type | `label`, `label` | meaning |
Descriptions documented() {
  const char* const root = std::getenv("CAPSULE_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  const Result<std::string> text = read_file(std::string(root) + "/docs/METRICS.md", 1u << 20);
  REQUIRE(text.has_value());
  Descriptions all;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::istringstream cells(line.substr(1));
    std::string name, type, labels, meaning;
    std::getline(cells, name, '|');
    std::getline(cells, type, '|');
    std::getline(cells, labels, '|');
    std::getline(cells, meaning, '|');
    Description& description = all[trim(name, " `")];
    description.type = trim(type, " ");
    std::istringstream list(labels);
    for (std::string word; std::getline(list, word, ',');) {
      if (!trim(word, " `").empty()) description.labels.insert(trim(word, " `"));
    }
    INFO(line);
    CHECK(trim(meaning, " ").size() > 10);
  }
  return all;
}

TEST_CASE("METRICS.md lists every metric with its type and labels, and no other", "[metrics][docs]") {
  const Descriptions code = exposed();
  const Descriptions docs = documented();
  CHECK(code.size() > 50);
  for (const auto& [name, description] : code) {
    INFO(name);
    REQUIRE(docs.count(name) == 1);
    CHECK(describe(docs.at(name)) == describe(description));
  }
  for (const auto& [name, description] : docs) {
    INFO(name);
    CHECK(code.count(name) == 1);
  }
}

}  // namespace
}  // namespace capsule

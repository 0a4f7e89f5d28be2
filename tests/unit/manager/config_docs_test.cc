// docs/CONFIGURATION.md has a row for each knob, word for word what the table says; the example file is accepted.
#include <catch2/catch.hpp>
#include <string>

#include "base/posix_io.h"
#include "manager/config.h"

using namespace capsule;

namespace {

std::string text_of(const std::string& path) {
  const auto text = read_file(std::string(SOURCE_ROOT) + "/" + path, kConfigBytes);
  REQUIRE(text);
  return *text;
}

std::string shown(const KnobValue& value) {
  if (const auto* count = std::get_if<uint64_t>(&value)) return std::to_string(*count);
  if (const auto* text = std::get_if<std::string>(&value)) return "\"" + *text + "\"";
  const double number = std::get<double>(value);
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string allowed(const KnobInfo& knob) {
  if (knob.min) return shown(*knob.min) + " to " + shown(*knob.max);
  std::string words;
  for (const std::string& choice : knob.choices) words += (words.empty() ? "" : ", ") + choice;
  return words.empty() ? "text" : words;
}

std::string row(const KnobInfo& knob) {
  return "| `" + knob.name + "` | " + shown(knob.standard) + " | " + (knob.unit.empty() ? "" : knob.unit + " ") + "| " +
         allowed(knob) + " | " + knob.description + " |\n";
}

}  // namespace

TEST_CASE("the documentation has the row of each knob", "[config][docs]") {
  const std::string document = text_of("docs/CONFIGURATION.md");
  for (const KnobInfo& knob : describe_knobs(default_config())) {
    const std::string expected = row(knob);
    INFO("docs/CONFIGURATION.md lacks this row: " << expected);
    CHECK(document.find(expected) != std::string::npos);
  }
}

TEST_CASE("the documentation has no row of a knob that is gone", "[config][docs]") {
  const std::string document = text_of("docs/CONFIGURATION.md");
  size_t rows = 0;
  for (size_t at = document.find("\n| `"); at != std::string::npos; at = document.find("\n| `", at + 1)) ++rows;
  CHECK(rows == describe_knobs(default_config()).size());
}

TEST_CASE("the example configuration is accepted", "[config][docs]") {
  const auto config = parse_config(text_of("examples/capsule.toml"), "examples/capsule.toml");
  INFO((config ? std::string() : config.error().message));
  REQUIRE(config);
  CHECK(config->profiles.count("grading") == 1);
}

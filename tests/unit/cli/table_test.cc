#include "cli/table.h"

#include <catch2/catch.hpp>

namespace capsule::cli {

TEST_CASE("columns are as wide as their widest cell and lines have no trailing blanks", "[cli]") {
  Table table({{"NAME"}, {"SIZE", Align::kRight}, {"NOTE"}});
  table.add_row({"a", "1", ""});
  table.add_row({"longer", "12345", "x"});
  CHECK(table.text(2) ==
        "  NAME     SIZE  NOTE\n"
        "  a           1\n"
        "  longer  12345  x\n");
}

TEST_CASE("a cell cannot drive the terminal or break its line", "[cli]") {
  Table table({{"A"}});
  table.add_row({"x\x1b[2J\ny\t\xff"});
  CHECK(table.text(0) == "A\nx\\x1b[2J y \xEF\xBF\xBD\n");
}

TEST_CASE("long cells are cut between characters", "[cli]") {
  Table table({{"A"}});
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\xC3\xA9";
  table.add_row({text});
  const std::string line = table.text(0).substr(2);
  CHECK(line.size() <= kCellBytes + 1);
  CHECK(line.ends_with("\xC3\xA9...\n"));
}

TEST_CASE("columns align by characters, not bytes", "[cli]") {
  Table table({{"A"}, {"B"}});
  table.add_row({"\xC3\xA9\xC3\xA9", "1"});
  table.add_row({"abc", "2"});
  CHECK(table.text(0) == "A    B\n\xC3\xA9\xC3\xA9   1\nabc  2\n");
}

}  // namespace capsule::cli

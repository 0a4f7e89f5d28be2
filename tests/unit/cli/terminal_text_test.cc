#include "cli/terminal_text.h"

#include <catch2/catch.hpp>

namespace capsule::cli {

TEST_CASE("control characters are shown, not sent", "[cli]") {
  TerminalText text;
  CHECK(text.feed("a\x1b]0;x\x07\n\tb") == "a\\x1b]0;x\\x07\n\tb");
}

TEST_CASE("a character cut by the end of a chunk arrives whole", "[cli]") {
  const std::string whole = "\xE2\x82\xAC\xF0\x9F\x98\x80\xC3\xA9";
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    TerminalText text;
    std::string out = text.feed(whole.substr(0, cut));
    out += text.feed(whole.substr(cut));
    INFO(cut);
    CHECK(out + text.finish() == whole);
  }
}

TEST_CASE("a control character cut by the end of a chunk is escaped all the same", "[cli]") {
  TerminalText text;
  CHECK(text.feed("a\xC2") == "a");
  CHECK(text.feed("\x9B"
                  "1m") == "\\x9b1m");
}

TEST_CASE("bytes that are not text are replaced, and an end inside a character is one of them", "[cli]") {
  TerminalText text;
  CHECK(text.feed("\x80\xFF\xE2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(text.finish() == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(text.finish() == "");
}

}  // namespace capsule::cli

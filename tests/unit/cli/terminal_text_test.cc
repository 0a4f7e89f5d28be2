#include "cli/terminal_text.h"

#include <catch2/catch.hpp>

namespace capsule::cli {
namespace {

const TerminalText kEscaping(ControlCharacters::kEscape, OutputKind::kOther);

}  // namespace

TEST_CASE("they are escaped on a terminal unless that is refused, and elsewhere when that is asked for", "[cli]") {
  const auto shown = [](ControlCharacters control, OutputKind kind) {
    return TerminalText(control, kind).feed("\x1b");
  };
  CHECK(shown(ControlCharacters::kAuto, OutputKind::kTerminal) == "\\x1b");
  CHECK(shown(ControlCharacters::kAuto, OutputKind::kOther) == "\x1b");
  CHECK(shown(ControlCharacters::kPass, OutputKind::kTerminal) == "\x1b");
  CHECK(shown(ControlCharacters::kEscape, OutputKind::kOther) == "\\x1b");
}

TEST_CASE("bytes that are passed do not wait for their rest", "[cli]") {
  TerminalText text(ControlCharacters::kPass, OutputKind::kOther);
  CHECK(text.feed("a\xC2") == "a\xC2");
  CHECK(text.finish() == "");
}

TEST_CASE("control characters are shown, not sent", "[cli]") {
  TerminalText text(kEscaping);
  CHECK(text.feed("a\x1b]0;x\x07\n\tb") == "a\\x1b]0;x\\x07\n\tb");
}

TEST_CASE("a character cut by the end of a chunk arrives whole", "[cli]") {
  const std::string whole = "\xE2\x82\xAC\xF0\x9F\x98\x80\xC3\xA9";
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    TerminalText text(kEscaping);
    std::string out = text.feed(whole.substr(0, cut));
    out += text.feed(whole.substr(cut));
    INFO(cut);
    CHECK(out + text.finish() == whole);
  }
}

TEST_CASE("a control character cut by the end of a chunk is escaped all the same", "[cli]") {
  TerminalText text(kEscaping);
  CHECK(text.feed("a\xC2") == "a");
  CHECK(text.feed("\x9B"
                  "1m") == "\\x9b1m");
}

TEST_CASE("bytes that are not text are replaced, and an end inside a character is one of them", "[cli]") {
  TerminalText text(kEscaping);
  CHECK(text.feed("\x80\xFF\xE2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(text.finish() == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(text.finish() == "");
}

}  // namespace capsule::cli

#include "base/utf8.h"

#include <catch2/catch.hpp>
#include <string>

namespace capsule {

TEST_CASE("valid text of every sequence length is valid") {
  for (const char* text : {"", "plain", "\xC2\x80", "h\xC3\xA9", "\xE0\xA0\x80", "\xE2\x82\xAC", "\xED\x9F\xBF",
                           "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    INFO(text);
    CHECK(is_valid_utf8(text));
  }
  CHECK(is_valid_utf8(std::string_view("a\0b", 3)));
}

TEST_CASE("overlong forms, surrogates, values above U+10FFFF and cut sequences are not text") {
  for (const char* text : {"\x80",
                           "\xBF",
                           "\xC0\x80",
                           "\xC1\xBF",
                           "\xC2",
                           "\xC2z",
                           "\xE0\x80\x80",
                           "\xE0\x9F\xBF",
                           "\xE2\x82",
                           "\xE2\x82z",
                           "\xED\xA0\x80",
                           "\xED\xBF\xBF",
                           "\xF0\x80\x80\x80",
                           "\xF0\x8F\xBF\xBF",
                           "\xF0\x9F\x98",
                           "\xF4\x90\x80\x80",
                           "\xF5\x80\x80\x80",
                           "\xFE",
                           "\xFF",
                           "good\xFF"}) {
    CHECK_FALSE(is_valid_utf8(text));
  }
}

TEST_CASE("each invalid byte becomes one replacement character") {
  CHECK(replace_invalid_utf8("a\xFF\xFEz") == "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  CHECK(replace_invalid_utf8("\xE2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(replace_invalid_utf8("h\xC3\xA9") == "h\xC3\xA9");
}

TEST_CASE("what was replaced is valid, whatever bytes it came from") {
  std::string all;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; second += 5) all += {static_cast<char>(first), static_cast<char>(second)};
  }
  CHECK(is_valid_utf8(replace_invalid_utf8(all)));
}

TEST_CASE("control characters are escaped, line ends and tabs are not") {
  CHECK(escape_control("a\x1B[31mb") == "a\\x1b[31mb");
  CHECK(escape_control("one\ntwo\tthree\r") == "one\ntwo\tthree\\x0d");
  CHECK(escape_control("\x7F") == "\\x7f");
  CHECK(escape_control(std::string_view("\0", 1)) == "\\x00");
}

TEST_CASE("C1 controls are escaped, the characters after them are not") {
  CHECK(escape_control("\xC2\x9B") == "\\x9b");
  CHECK(escape_control("\xC2\xA0") == "\xC2\xA0");
  CHECK(escape_control("h\xC3\xA9") == "h\xC3\xA9");
}

TEST_CASE("JSON keeps its meaning and holds no control character that JSON itself leaves as it is") {
  CHECK(escape_control_in_json("{\"a\": \"\x7F\xC2\x9B\xC3\xA9\"}\n") == "{\"a\": \"\\u007f\\u009b\xC3\xA9\"}\n");
}

TEST_CASE("a cut sequence does not swallow the character after it") { CHECK(escape_control("\xC2z") == "\xC2z"); }

}  // namespace capsule

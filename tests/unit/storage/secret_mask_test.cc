#include "manager/storage/secret_mask.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

namespace capsule {
namespace {

using Secrets = std::map<std::string, std::string>;

std::string masked(const SecretMask& mask, std::string text) {
  mask.apply(text);
  return text;
}

}  // namespace

TEST_CASE("secrets become stars, byte for byte", "[records]") {
  const SecretMask mask(Secrets{{"A", "geheim"}, {"B", "geheimer"}, {"C", "abc"}});
  CHECK(masked(mask, "x geheim y geheimgeheim") == "x ****** y ************");
  CHECK(masked(mask, "geheimer") == "********");  // the longer one first
  CHECK(masked(mask, "abc geh") == "abc geh");    // too short to blot out; not whole
  CHECK(SecretMask(Secrets{{"C", "abc"}}).empty());
}

TEST_CASE("the beginning of a secret at the end of a piece is undecided", "[records]") {
  const SecretMask mask(Secrets{{"A", "geheim"}, {"B", "mehr"}});
  CHECK(mask.undecided_bytes("ein g") == 1);
  CHECK(mask.undecided_bytes("ein gehei") == 5);
  CHECK(mask.undecided_bytes("ein gehex") == 0);
  CHECK(mask.undecided_bytes("geheim") == 1);  // "m" may begin the other
  CHECK(mask.undecided_bytes("") == 0);
  CHECK(SecretMask().undecided_bytes("anything") == 0);
}

TEST_CASE("a secret that comes in pieces of any size is blotted out", "[records]") {
  const SecretMask mask(Secrets{{"A", "geheim"}, {"B", "heimlich"}});
  const std::string text = "gegeheim geheimlich heimliheimlich";
  const std::string whole = masked(mask, text);
  for (size_t size = 1; size <= text.size(); ++size) {
    std::string out, waiting;
    for (size_t at = 0; at < text.size(); at += size) {
      waiting += text.substr(at, size);
      mask.apply(waiting);
      const size_t keep = mask.undecided_bytes(waiting);
      out += waiting.substr(0, waiting.size() - keep);
      waiting.erase(0, waiting.size() - keep);
    }
    mask.apply(waiting);
    out += waiting;
    INFO(size);
    CHECK(out.size() == text.size());
    CHECK(out.find("geheim") == std::string::npos);
    CHECK(out.find("heimlich") == std::string::npos);
    if (size == text.size()) CHECK(out == whole);
  }
}

TEST_CASE("a secret is found as Python and JSON write it", "[records]") {
  const std::string secret = "pa\\ss\n\"w\'\x01\u00e4\u20ac\U0001f511\u200bend";
  const SecretMask mask(Secrets{{"A", secret}});
  for (const char* text : {
           R"(pa\\ss\n"w\'\x01\u00e4\u20ac\U0001f511\u200bend)",  // not a form: \u00e4 is \xe4
           R"(pa\\ss\n"w\'\x01äЀ)",                               // another text
       }) {
    CHECK(masked(mask, text) == text);
  }
  for (const char* text : {
           R"(pa\\ss\n"w\'\x01ä€🔑\u200bend)",                                         // repr(text)
           R"(pa\\ss\n"w\'\x01\xe4\u20ac\U0001f511\u200bend)",                        // ascii(text)
           R"(pa\\ss\n"w\'\x01\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91\xe2\x80\x8bend)",  // repr(bytes)
           R"(pa\\ss\n\"w'\u0001\u00e4\u20ac\ud83d\udd11\u200bend)",                  // json.dumps(text)
       }) {
    INFO(text);
    CHECK(masked(mask, "<" + std::string(text) + ">") == "<" + std::string(std::string_view(text).size(), '*') + ">");
  }
}

TEST_CASE("a quote is escaped where Python escapes it", "[records]") {
  CHECK(masked(SecretMask(Secrets{{"A", "don't"}}), R"("don't")") == R"("*****")");
  CHECK(masked(SecretMask(Secrets{{"A", R"(a'b"c)"}}), R"('a\'b"c')") == R"('******')");
  CHECK(masked(SecretMask(Secrets{{"A", "tab\there"}}), R"('tab\there')") == R"('*********')");
  CHECK(masked(SecretMask(Secrets{{"A", "stray\xff"}}), R"('stray\udcff' b'stray\xff')") ==
        R"('***********' b'*********')");
}

TEST_CASE("a secret of several lines is found whole and line by line, and its lines stay lines", "[records]") {
  const SecretMask mask(Secrets{{"A", "-- BEGIN --\nab\nsecond line\n"}});
  CHECK(masked(mask, "x-- BEGIN --\nab\nsecond line\ny") == "x***********\n**\n***********\ny");
  CHECK(masked(mask, "1: second line") == "1: ***********");
  CHECK(masked(mask, "ab") == "ab");
  std::vector<std::string> lines{"ValueError: -- BEGIN --", "ab", "second line", "", "ab"};
  mask.apply(lines);
  CHECK(lines == std::vector<std::string>{"ValueError: ***********", "**", "***********", "", "ab"});
}

TEST_CASE("lines end as Python's splitlines() ends them", "[records]") {
  for (const std::string end : {"\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e"}) {
    const SecretMask mask(Secrets{{"A", "first line" + end + "second line" + end + "third line"}});
    for (const std::string line : {"first line", "second line", "third line"}) {
      CHECK(masked(mask, "1: " + line) == "1: " + std::string(line.size(), '*'));
    }
  }
}

TEST_CASE("forms and lines of secrets are bounded, the values themselves are not", "[records]") {
  Secrets secrets;
  for (char name = 'a'; name <= 'z'; ++name) {
    std::string& value = secrets[std::string(1, name)];
    for (int line = 0; value.size() < 3'000; ++line) value += name + std::to_string(100'000'000 + line) + "\n";
  }
  const SecretMask mask(secrets);
  CHECK(masked(mask, secrets["z"]).find('z') == std::string::npos);
  CHECK(masked(mask, "a100000000") == "**********");
  CHECK(masked(mask, "z100000000") == "z100000000");
}

TEST_CASE("what was cut in the middle of a secret keeps no part of it", "[records]") {
  const SecretMask mask(Secrets{{"A", "geheim"}});
  const auto cut_end = [&mask](std::string text) { return mask.apply_to_cut_end(text), text; };
  const auto cut_beginning = [&mask](std::string text) { return mask.apply_to_cut_beginning(text), text; };
  CHECK(cut_end("it is gehei") == "it is *****");
  CHECK(cut_end("it is not") == "it is not");
  CHECK(cut_beginning("eheim was it") == "***** was it");
  CHECK(cut_beginning("nothing") == "nothing");
  CHECK(cut_beginning("") == "");
}

}  // namespace capsule

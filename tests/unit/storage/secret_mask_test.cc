#include "manager/storage/secret_mask.h"

#include <catch2/catch.hpp>

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

}  // namespace capsule

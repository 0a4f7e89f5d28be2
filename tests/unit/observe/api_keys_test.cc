// API keys: what is stored, who is let in, and how often.
#include "manager/observe/api_keys.h"

#include <catch2/catch.hpp>
#include <set>

#include "base/posix_io.h"
#include "tests/unit/manager/temp_tree.h"

namespace capsule {
namespace {

using Outcome = KeyRuling::Outcome;
constexpr int64_t kNowMs = 1'800'000'000'000;
const TimePoint kNow = TimePoint{} + seconds(1000);

ApiKey key_of(const std::string& name, const std::string& text, uint64_t per_minute = 600, int64_t expires_ms = 0) {
  return {name, sha256(text), per_minute, kNowMs, expires_ms};
}

struct Ring {
  TempTree tree;
  std::string path = tree.path("http-keys.json").string();
  KeyRing ring{path};

  void store(const std::vector<ApiKey>& keys) { REQUIRE(write_api_keys(path, keys)); }
  Outcome rule(const std::string& text, TimePoint at = kNow) { return ring.rule(text, kNowMs, at).outcome; }
};

}  // namespace

TEST_CASE("a key has 256 bits, no two are the same, and only its hash is stored", "[keys]") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto text = make_key_text();
    REQUIRE(text);
    CHECK(text->size() == 8 + 64);
    CHECK(digest_from_hex(std::string_view(*text).substr(8)));
    seen.insert(*text);
  }
  CHECK(seen.size() == 100);
  const Ring ring;
  REQUIRE(write_api_keys(ring.path, {key_of("ci", *seen.begin())}));
  CHECK(read_file(ring.path, 1 << 20).value().find(seen.begin()->substr(8)) == std::string::npos);
  struct stat file {};
  REQUIRE(stat(ring.path.c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0600);
}

TEST_CASE("keys are written and read the same way, and a damaged file has none", "[keys]") {
  const std::vector<ApiKey> keys{key_of("ci", "a", 5), key_of("grafana", "b", 60'000, kNowMs + 1)};
  CHECK(parse_api_keys(api_keys_json(keys)).value() == keys);
  const std::string good = api_keys_json(keys);
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[]"), good.substr(0, good.size() / 2),
        std::string(R"({"keys":[{"name":"x"}]})"), std::string(R"({"keys":[1]})"), std::string(R"({"keys":{}})")}) {
    INFO(text);
    CHECK_FALSE(parse_api_keys(text));
  }
}

TEST_CASE("only who presents a whole key is let in", "[keys]") {
  Ring ring;
  ring.store({key_of("ci", "capsule_1"), key_of("old", "capsule_2", 600, kNowMs)});
  CHECK(ring.rule("capsule_1") == Outcome::kAllowed);
  CHECK(ring.ring.rule("capsule_1", kNowMs, kNow).name == "ci");
  CHECK(ring.rule("capsule_2") == Outcome::kExpired);
  for (const char* wrong : {"", "capsule_", "capsule_11", "capsule_1 ", "CAPSULE_1", "ci"}) {
    CHECK(ring.rule(wrong) == Outcome::kUnknown);
  }
  CHECK(ring.rule(hex_text(sha256("capsule_1"))) == Outcome::kUnknown);  // what is stored opens nothing
}

TEST_CASE("a change of the file holds from the next request on, a damaged one lets nobody in", "[keys]") {
  Ring ring;
  CHECK(ring.rule("one") == Outcome::kUnknown);
  ring.store({key_of("a", "one")});
  CHECK(ring.rule("one") == Outcome::kAllowed);
  ring.store({key_of("b", "two")});
  CHECK(ring.rule("one") == Outcome::kUnknown);
  CHECK(ring.rule("two") == Outcome::kAllowed);
  TempTree::write(ring.path, "{");
  CHECK(ring.rule("two") == Outcome::kUnknown);
}

TEST_CASE("a key has a minute's worth of requests at once, and gets them back steadily", "[keys]") {
  Ring ring;
  ring.store({key_of("slow", "s", 3), key_of("other", "o", 3)});
  for (int i = 0; i < 3; ++i) CHECK(ring.rule("s") == Outcome::kAllowed);
  CHECK(ring.rule("s") == Outcome::kTooMany);
  CHECK(ring.rule("o") == Outcome::kAllowed);
  CHECK(ring.rule("s", kNow + seconds(19)) == Outcome::kTooMany);
  CHECK(ring.rule("s", kNow + seconds(21)) == Outcome::kAllowed);
  CHECK(ring.rule("s", kNow + seconds(21)) == Outcome::kTooMany);
  size_t taken = 0;
  for (int i = 0; i < 10; ++i) taken += ring.rule("s", kNow + seconds(10'000)) == Outcome::kAllowed;
  CHECK(taken == 3);
}

TEST_CASE("names of keys have a strict grammar", "[keys]") {
  for (const char* name : {"ci", "Grafana-1", "a.b_c"}) CHECK(check_key_name(name));
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("a\n"), std::string(65, 'x')}) {
    CHECK_FALSE(check_key_name(name));
  }
}

}  // namespace capsule

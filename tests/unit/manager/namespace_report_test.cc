// What a worker tells of its namespace is a claim: only what fits is shown, whatever it says.
#include "manager/sessions/namespace_report.h"

#include <catch2/catch.hpp>

#include "base/digest.h"

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

Json report(const std::string& list, std::string_view key = {}) {
  return read_namespace_report(R"({"names":1,"bytes":8,"kinds":{"data":1},"incomplete":null,"list":)" + list + "}", key)
      .value();
}

}  // namespace

TEST_CASE("keyed digests are HMAC-SHA256 (RFC 4231, case 2)", "[inspect]") {
  CHECK(hex_text(keyed_digest("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("a report is taken over field by field", "[inspect]") {
  const Json seen = report(
      R"([{"name":"a","kind":"data","type":"numpy.ndarray","bytes":96,"shape":[3,4],"dtype":"float64","value":"secret"}])");
  CHECK(seen["names"] == 1);
  CHECK(seen["kinds"] == Json({{"function", nullptr}, {"class", nullptr}, {"module", nullptr}, {"data", 1}}));
  CHECK(seen["hashed"] == false);
  CHECK(seen["list"][0] == Json({{"name", "a"},
                                 {"kind", "data"},
                                 {"type", "numpy.ndarray"},
                                 {"bytes", 96},
                                 {"length", nullptr},
                                 {"shape", {3, 4}},
                                 {"dtype", "float64"}}));
}

TEST_CASE("what is no report is refused", "[inspect]") {
  for (const char* text :
       {"", "{", "[]", "5", "null", R"({"names":1})", R"({"list":5})", "\xff\xfe", R"({"list":[}})"}) {
    CHECK_FALSE(read_namespace_report(text, ""));
  }
  CHECK(read_namespace_report(std::string(kNamespaceReportBytes + 1, ' '), "").error().code == Errc::kTooLarge);
}

TEST_CASE("odd values become null and never more than there is room for", "[inspect]") {
  const Json odd = report(
      R"([{"name":5,"kind":"weapon","type":["x"],"bytes":-1,"length":1.5,"shape":[1,-2],"dtype":{}},
          {"name":"x","kind":["data"],"bytes":18446744073709551615,"shape":[1,2,3,4,5,6,7,8,9]}, 5, null, [[]]])")
      ["list"];
  REQUIRE(odd.size() == 2);
  for (const char* key : {"name", "kind", "type", "bytes", "length", "shape", "dtype"}) CHECK(odd[0][key].is_null());
  CHECK(odd[1]["bytes"] == 1ull << 53);
  CHECK(odd[1]["kind"].is_null());
  CHECK(odd[1]["shape"].is_null());
  const Json longest = report(R"([{"name":")" + std::string(100'000, 'x') + R"("}])")["list"][0]["name"];
  CHECK(longest.get<std::string>().size() == kNamespaceTextBytes);
  std::string many = "[{}";
  for (size_t i = 0; i < 3 * kNamespaceRows; ++i) many += ",{}";
  CHECK(report(many + "]")["list"].size() == kNamespaceRows);
}

TEST_CASE("depth costs nothing", "[inspect]") {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  CHECK(report(R"([{"name":"a","shape":)" + deep + "}]")["list"].size() == 1);
}

TEST_CASE("with a key neither names nor types of the program are told, even by a worker that should have hashed them",
          "[inspect]") {
  const std::string list = R"([{"name":"canary","type":"canary.Type","dtype":"float64"},
                              {"name":"canary","type":"int"},{"name":"other","type":"numpy.ndarray"}])";
  const Json one = report(list, "key 1"), other = report(list, "key 2");
  CHECK(one["hashed"] == true);
  CHECK(one.dump().find("canary") == std::string::npos);
  CHECK(one["list"][0]["name"] == one["list"][1]["name"]);
  CHECK(one["list"][0]["name"] != one["list"][2]["name"]);
  CHECK(one["list"][0]["name"] != other["list"][0]["name"]);
  CHECK(one["list"][0]["name"].get<std::string>().size() == 32);
  CHECK(one["list"][1]["type"] == "int");
  CHECK(one["list"][2]["type"] == "numpy.ndarray");
}

}  // namespace capsule

#include "protocol/peek.h"

#include <catch2/catch.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "protocol/codec.h"
#include "tests/unit/protocol/msgpack_bytes.h"
#include "tests/unit/protocol/samples.h"

namespace capsule {
namespace {

// A copy in memory of exactly its size: a read one byte beyond it is seen by the address sanitizer.
class ExactCopy {
 public:
  explicit ExactCopy(std::string_view bytes) : size_(bytes.size()), memory_(new char[bytes.size()]) {
    std::copy(bytes.begin(), bytes.end(), memory_.get());
  }
  std::string_view view() const { return {memory_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> memory_;
};

void check_field(std::string_view payload, const std::string& key, const nlohmann::json& value) {
  INFO(key);
  const bool is_unsigned = value.is_number_unsigned() || (value.is_number_integer() && value.get<int64_t>() >= 0);
  CHECK(peek::text(payload, key).has_value() == value.is_string());
  CHECK(peek::number(payload, key).has_value() == is_unsigned);
  CHECK(peek::flag(payload, key).has_value() == value.is_boolean());
  if (value.is_string()) CHECK(peek::text(payload, key) == value.get<std::string>());
  if (is_unsigned) CHECK(peek::number(payload, key) == value.get<uint64_t>());
  if (value.is_boolean()) CHECK(peek::flag(payload, key) == value.get<bool>());
}

}  // namespace

TEST_CASE("peek sees in each message what the codec wrote") {
  for (const Sample& sample : samples()) {
    INFO(sample.name);
    const std::string payload = encode(sample.message);
    CHECK(peek::type(payload) == type_of(sample.message));
    const auto fields = nlohmann::json::from_msgpack(payload);
    for (const auto& [key, value] : fields.items()) check_field(payload, key, value);
  }
}

TEST_CASE("peek finds nothing in a field that is absent") {
  const std::string payload = encode(Ping{.id = 3});
  CHECK_FALSE(peek::flag(payload, "execute"));
  CHECK_FALSE(peek::text(payload, "run_id"));
  CHECK_FALSE(peek::number(payload, ""));
}

TEST_CASE("peek never reads beyond a payload that is cut anywhere") {
  for (const Sample& sample : samples()) {
    const std::string payload = encode(sample.message);
    for (size_t size = 0; size < payload.size(); ++size) {
      const ExactCopy cut(std::string_view(payload).substr(0, size));
      CHECK_FALSE(peek::text(cut.view(), "no such field"));
      CHECK_FALSE(peek::number(cut.view(), "no such field"));
    }
  }
}

TEST_CASE("peek gives up at counts and lengths of 2^32 in five bytes") {
  for (const char head : {'\xDD', '\xDF', '\xDB', '\xC6', '\xC9'}) {
    const std::string bomb = head + std::string(4, '\xFF');
    CHECK(peek::type(bomb).empty());
    CHECK_FALSE(peek::number(raw::map(2) + raw::str("x") + bomb, "id"));
  }
}

TEST_CASE("peek skips nested values of any depth without recursion") {
  const std::string deep = std::string(1'000'000, '\x91') + raw::kNil;
  const std::string payload = raw::map(2) + raw::str("deep") + deep + raw::str("id") + "\x05";
  CHECK(peek::number(payload, "id") == 5U);
}

TEST_CASE("peek refuses what is not a map with text keys") {
  for (const std::string& payload :
       {std::string(), raw::kNil, raw::array(1) + raw::str("type"), raw::map(1) + "\x01" + raw::str("ping")}) {
    CHECK(peek::type(payload).empty());
  }
}

}  // namespace capsule

// The frames that come out of the pipe of a saving process.
#include "manager/storage/checkpoint_stream.h"

#include <catch2/catch.hpp>

namespace capsule {
namespace {

std::string frame(char kind, std::string_view content, uint64_t claimed) {
  std::string bytes(1, kind);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>((claimed >> shift) & 0xFF);
  return bytes + std::string(content);
}
std::string frame(char kind, std::string_view content) { return frame(kind, content, content.size()); }

struct Taken {
  CheckpointStream stream;
  std::string payload;
  Status take(std::string_view bytes) {
    return stream.take(bytes, [this](std::string_view part) -> Status {
      payload += part;
      return {};
    });
  }
};

}  // namespace

TEST_CASE("a stream cut anywhere is the same stream", "[storage]") {
  const std::string whole = frame('N', "first") + frame('D', "pay") + frame('D', "") + frame('N', "second") +
                            frame('D', "load") + frame('M', "{}");
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    Taken taken;
    REQUIRE(taken.take(whole.substr(0, cut)));
    CHECK(taken.stream.is_complete() == (cut == whole.size()));
    REQUIRE(taken.take(whole.substr(cut)));
    CHECK((taken.payload == "payload" && taken.stream.metadata() == "{}" && taken.stream.is_complete()));
    CHECK(taken.stream.name_at_work() == "second");
  }
}

TEST_CASE("nonsense in a stream is refused", "[storage]") {
  const auto code_of = [](const std::string& bytes) {
    Taken taken;
    const auto status = taken.take(bytes);
    return status ? Errc::kClosed : status.error().code;
  };
  CHECK(code_of(frame('X', "")) == Errc::kInvalid);
  CHECK(code_of(frame('M', "{}") + "x") == Errc::kInvalid);
  CHECK(code_of(frame('N', "", 257)) == Errc::kTooLarge);
  CHECK(code_of(frame('M', "", (1 << 20) + 1)) == Errc::kTooLarge);
  CHECK(code_of(frame('M', "", UINT64_MAX)) == Errc::kTooLarge);
  CHECK(code_of(frame('D', "abc", UINT64_MAX)) == Errc::kClosed);  // it may go on; nothing was allocated for it
}

TEST_CASE("texts of a stream are made valid UTF-8", "[storage]") {
  Taken taken;
  REQUIRE(taken.take(frame('N', "a\xFF") + frame('M', "{\xFF}")));
  CHECK(taken.stream.name_at_work() == "a\xEF\xBF\xBD");
  CHECK(taken.stream.metadata() == "{\xEF\xBF\xBD}");
}

TEST_CASE("an error of who takes the payload ends the call", "[storage]") {
  CheckpointStream stream;
  const auto status = stream.take(frame('D', "x") + frame('M', "{}"),
                                  [](std::string_view) { return failure(Errc::kTooLarge, "full"); });
  CHECK(status.error().message == "full");
  CHECK_FALSE(stream.is_complete());
}

}  // namespace capsule

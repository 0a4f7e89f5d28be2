// The log of runs: whole frames in order, over several files, and torn ends cost nothing but themselves.
#include "manager/storage/record_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/posix_io.h"
#include "protocol/codec.h"
#include "tests/unit/storage/record_files.h"

namespace capsule {
namespace {

std::vector<std::string> payloads(RecordLogReader& reader) {
  std::vector<std::string> all;
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) all.emplace_back((*frame)->payload);
  return all;
}

}  // namespace

TEST_CASE("a reader gets what was appended, also what comes after it was at the end", "[records]") {
  const RecordDirectory directory;
  RecordLogWriter writer(directory.fd(), 1);
  RecordLogReader reader(directory.fd(), 1);
  CHECK(payloads(reader).empty());
  REQUIRE(writer.append(make_frame("one") + make_frame("two")));
  CHECK(payloads(reader) == std::vector<std::string>{"one", "two"});
  CHECK(payloads(reader).empty());
  REQUIRE(writer.append(make_frame("three")));
  CHECK(payloads(reader) == std::vector<std::string>{"three"});
  CHECK(reader.read_bytes() == writer.appended_bytes());
}

TEST_CASE("a long log goes on in the next file", "[records]") {
  const RecordDirectory directory;
  RecordLogWriter writer(directory.fd(), 7);
  const std::string large(3u << 20, 'x');
  for (int i = 0; i < 8; ++i) REQUIRE(writer.append(make_frame(large + std::to_string(i))));
  CHECK(segments_in(directory.fd()).value().size() >= 2);
  CHECK(segments_in(directory.fd()).value().front() == 7);
  RecordLogReader reader(directory.fd(), 7);
  const auto all = payloads(reader);
  REQUIRE(all.size() == 8);
  for (size_t i = 0; i < all.size(); ++i) CHECK(all[i] == large + std::to_string(i));
}

TEST_CASE("a torn end is left out once the next file is there", "[records]") {
  const RecordDirectory directory;
  for (const std::string& torn :
       {make_frame("torn").substr(0, 2), make_frame("torn").substr(0, 6), std::string(64, '\0')}) {
    const auto segments = segments_in(directory.fd()).value();
    const uint64_t first = segments.empty() ? 1 : segments.back() + 1;
    REQUIRE(RecordLogWriter(directory.fd(), first).append(make_frame("whole")));
    const UniqueFd file(openat(directory.fd(), segment_name(first).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    REQUIRE(write_all(file.get(), torn));
    RecordLogReader reader(directory.fd(), first);
    CHECK(payloads(reader) == std::vector<std::string>{"whole"});
    REQUIRE(RecordLogWriter(directory.fd(), first + 1).append(make_frame("next")));
    CHECK(payloads(reader) == std::vector<std::string>{"next"});
    CHECK(reader.damaged().size() >= 1);
  }
}

TEST_CASE("a log that cannot be written says so, and goes on in another file", "[records]") {
  const RecordDirectory directory;
  RecordLogWriter writer(directory.fd(), 1);
  REQUIRE(writer.append(make_frame("first")));
  {
    const FileSizeLimit limit(8);  // "first" is longer already
    CHECK_FALSE(writer.append(make_frame("lost")));
  }
  REQUIRE(writer.append(make_frame("second")));
  RecordLogReader reader(directory.fd(), 1);
  CHECK(payloads(reader) == std::vector<std::string>{"first", "second"});
}

}  // namespace capsule

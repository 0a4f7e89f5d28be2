#include "cli/input_pump.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <limits>

#include "tests/unit/cli/memory_file.h"

namespace capsule::cli {

TEST_CASE("credit is never exceeded and chunks are bounded", "[cli]") {
  InputCredit credit(limits::kInputChunkBytes + 10);
  CHECK(credit.next_chunk_bytes() == limits::kInputChunkBytes);
  credit.spend(limits::kInputChunkBytes);
  CHECK(credit.next_chunk_bytes() == 10);
  credit.spend(10);
  CHECK(credit.next_chunk_bytes() == 0);
  credit.add(3);
  CHECK(credit.next_chunk_bytes() == 3);
}

TEST_CASE("credit starts with the window of the protocol", "[cli]") {
  CHECK(InputCredit().left() == limits::kInputWindowBytes);
}

TEST_CASE("too much credit saturates instead of wrapping", "[cli]") {
  InputCredit credit(5);
  credit.add(std::numeric_limits<uint64_t>::max());
  CHECK(credit.left() == std::numeric_limits<uint64_t>::max());
}

TEST_CASE("the pump reads no more than its credit and goes on when it gets more", "[cli]") {
  const MemoryFile file(std::string(limits::kInputWindowBytes + 100, 'x'));
  InputPump pump(file.fd());
  size_t sent = 0;
  while (pump.can_read()) {
    const auto chunk = pump.read_chunk("r1");
    REQUIRE(chunk);
    CHECK(chunk->run_id == "r1");
    CHECK(chunk->data.value.size() <= limits::kInputChunkBytes);
    CHECK_FALSE(chunk->eof);
    sent += chunk->data.value.size();
  }
  CHECK(sent == limits::kInputWindowBytes);
  pump.add_credit(1000);
  CHECK(pump.read_chunk("r1")->data.value.size() == 100);
  CHECK(pump.read_chunk("r1")->eof);
  CHECK_FALSE(pump.can_read());
}

TEST_CASE("a descriptor that cannot be read is at its end", "[cli]") {
  InputPump closed(1 << 20);
  CHECK(closed.read_chunk("r")->eof);
  const UniqueFd directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  InputPump pump(directory.get());
  CHECK(pump.read_chunk("r")->eof);
}

TEST_CASE("without a descriptor there is nothing to read", "[cli]") { CHECK_FALSE(InputPump(-1).can_read()); }

}  // namespace capsule::cli

// The file of a checkpoint: what was written is read, and nothing else is.
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/storage/checkpoint_files.h"

namespace capsule {
namespace {

uint64_t size_of(int file) {
  struct stat facts {};
  REQUIRE(fstat(file, &facts) == 0);
  return static_cast<uint64_t>(facts.st_size);
}

std::string content(int file) {
  std::string bytes(size_of(file), '\0');
  REQUIRE(pread(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return bytes;
}

void put(int file, uint64_t at, std::string_view bytes) {
  REQUIRE(pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(bytes.size()));
}

// Digests that fit whatever the rest is: what somebody who knows the format can make.
UniqueFd forged(std::string header, std::string_view stored, std::string_view metadata, CheckpointLengths lengths) {
  const std::string packed = pack_lengths(lengths);
  std::string file = header;
  file += stored;
  file += metadata;
  file += packed;
  const Digest of_metadata = metadata_digest_of(header, metadata, packed);
  file.append(of_metadata.data(), of_metadata.size());
  Sha256 sum;
  sum.add(file);
  const Digest of_file = sum.finish();
  file.append(of_file.data(), of_file.size());
  file += kCheckpointEnd;
  UniqueFd fd = memory_file();
  put(fd.get(), 0, file);
  return fd;
}

bool names_a_way_out(const std::string& message) {
  return message.find("remove it, or import a copy") != message.npos || message.find("import what") != message.npos ||
         message.find("use the version of Capsule") != message.npos;
}

}  // namespace

TEST_CASE("a checkpoint is read as it was written", "[storage]") {
  for (const size_t size : {size_t{0}, size_t{1}, kStorageSliceBytes, kStorageSliceBytes + 1, size_t{5} << 20}) {
    const std::string payload = random_bytes(size / 2) + std::string(size - size / 2, 'x');
    const UniqueFd file = memory_file();
    REQUIRE(write_checkpoint(file.get(), payload, R"({"a":1})"));
    const auto info = read_checkpoint_info(file.get());
    REQUIRE(info);
    CHECK(info->header.python == kPython);
    CHECK(info->metadata == R"({"a":1})");
    CHECK(info->trailer.lengths.payload == size);
    CHECK(info->file_bytes == size_of(file.get()));
    CHECK(read_checkpoint(file.get()) == payload);
    CHECK(check_file(file.get()));
  }
}

TEST_CASE("a checkpoint's bytes are those of the document", "[storage]") {
  const UniqueFd file = memory_file();
  REQUIRE(write_checkpoint(file.get(), "payload", "{}"));
  const std::string bytes = content(file.get());
  CHECK(bytes.substr(0, 16) == std::string("\x89"
                                           "CAPCKP\n\x00\x01\x03\x0B\x00\x00\x00\x00",
                                           16));
  const size_t stored = bytes.size() - 16 - 2 - kCheckpointTrailerBytes;
  CHECK(bytes.substr(16, 4) == std::string("\x28\xB5\x2F\xFD", 4));  // a zstd frame (RFC 8878)
  CHECK(bytes.substr(16 + stored, 2) == "{}");
  const std::string lengths = bytes.substr(bytes.size() - kCheckpointTrailerBytes, 24);
  CHECK(lengths ==
        std::string(7, '\0') + static_cast<char>(stored) + std::string("\0\0\0\0\0\0\0\x07\0\0\0\x02\0\0\0\0", 16));
  CHECK(bytes.substr(bytes.size() - 8) == "ckptend\n");
}

TEST_CASE("each of 10,000 flipped bits is refused", "[storage]") {
  const std::string payload = random_bytes(9000) + std::string(9000, 'y');
  const UniqueFd file = memory_file();
  REQUIRE(write_checkpoint(file.get(), payload, std::string(500, 'm')));
  const std::string good = content(file.get());
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 engine(seed);
  size_t refused = 0, refused_without_payload = 0;
  for (size_t i = 0; i < 10000; ++i) {
    const size_t at = engine() % good.size();
    const char flipped = static_cast<char>(good[at] ^ (1 << engine() % 8));
    put(file.get(), at, {&flipped, 1});
    const auto read = read_checkpoint(file.get());
    refused += !read && !check_file(file.get()) && names_a_way_out(read.error().message);
    refused_without_payload += !read_checkpoint_info(file.get());
    put(file.get(), at, {&good[at], 1});
  }
  CHECK(refused == 10000);
  CHECK(refused_without_payload > 0);  // those in header, metadata and lengths
  CHECK(read_checkpoint(file.get()) == payload);
}

TEST_CASE("each flipped bit outside of the payload is noticed without reading the payload", "[storage]") {
  const UniqueFd file = memory_file();
  REQUIRE(write_checkpoint(file.get(), random_bytes(300), R"({"some":"metadata"})"));
  const std::string good = content(file.get());
  const auto info = read_checkpoint_info(file.get());
  REQUIRE(info);
  const size_t after_payload = kCheckpointHeaderBytes + info->trailer.lengths.stored;
  const size_t digest_at = good.size() - kCheckpointEnd.size() - kDigestBytes;
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    const size_t at = bit / 8;
    if (at >= kCheckpointHeaderBytes && at < after_payload) continue;
    if (at >= digest_at && at < digest_at + kDigestBytes) continue;  // of the whole file
    const char flipped = static_cast<char>(good[at] ^ (1 << bit % 8));
    put(file.get(), at, {&flipped, 1});
    INFO("bit " << bit);
    REQUIRE_FALSE(read_checkpoint_info(file.get()));
    put(file.get(), at, {&good[at], 1});
  }
}

TEST_CASE("a checkpoint cut off anywhere, or with something after it, is refused", "[storage]") {
  const UniqueFd file = memory_file();
  REQUIRE(write_checkpoint(file.get(), random_bytes(400), R"({"some":"metadata"})"));
  const std::string good = content(file.get());
  for (size_t length = 0; length < good.size(); ++length) {
    const UniqueFd cut = memory_file();
    put(cut.get(), 0, good.substr(0, length));
    const auto read = read_checkpoint_info(cut.get());
    INFO("length " << length);
    REQUIRE_FALSE(read);
    REQUIRE(names_a_way_out(read.error().message));
  }
  put(file.get(), good.size(), "x");
  CHECK_FALSE(read_checkpoint_info(file.get()));
}

TEST_CASE("a checkpoint of another format says which Capsule reads it", "[storage]") {
  std::string header = pack_header({kCheckpointFormat, kPython});
  header[9] = 2;
  const auto read = read_checkpoint_info(forged(header, "", "{}", {0, 0, 2}).get());
  REQUIRE_FALSE(read);
  CHECK(read.error().message.find("format 2") != std::string::npos);
  CHECK(names_a_way_out(read.error().message));
}

TEST_CASE("digests that fit do not make a payload of what is none", "[storage]") {
  const std::string header = pack_header({kCheckpointFormat, kPython});
  const UniqueFd real = memory_file();
  REQUIRE(write_checkpoint(real.get(), "payload", "{}"));
  const auto info = read_checkpoint_info(real.get());
  REQUIRE(info);
  const std::string stored = content(real.get()).substr(kCheckpointHeaderBytes, info->trailer.lengths.stored);
  const auto payload_of = [&](std::string_view bytes, uint64_t claimed) {
    return read_checkpoint(forged(header, bytes, "{}", {bytes.size(), claimed, 2}).get());
  };
  CHECK(payload_of(stored, 7) == "payload");
  CHECK_FALSE(payload_of(stored, 8));
  CHECK_FALSE(payload_of(stored.substr(0, stored.size() - 3), 7));
  CHECK_FALSE(payload_of("not zstd at all", 7));
  CHECK_FALSE(payload_of(stored, kCheckpointFileBytes));
  CHECK_FALSE(payload_of(stored, kCheckpointFileBytes + 1));
  // A window of 128 MiB (RFC 8878, 3.1.1.1.2) is memory that a small file must not ask for.
  CHECK_FALSE(payload_of(std::string("\x28\xB5\x2F\xFD\x00\x88\x01\x00\x00", 9), 0x10));
  // Metadata is text.
  CHECK_FALSE(read_checkpoint_info(forged(header, stored, "\xFF\xFE", {stored.size(), 7, 2}).get()));
}

TEST_CASE("a checkpoint that grows past its limit, or past the disk, says what to do", "[storage]") {
  const UniqueFd file = memory_file();
  const auto limited = write_checkpoint(file.get(), random_bytes(1 << 20), "{}", 500000);
  REQUIRE_FALSE(limited);
  CHECK(limited.error().code == Errc::kTooLarge);
  CHECK(size_of(file.get()) <= 500000);
  const UniqueFd full(open("/dev/full", O_RDWR | O_CLOEXEC));
  const auto filled = write_checkpoint(full.get(), "payload", "{}");
  REQUIRE_FALSE(filled);
  CHECK(filled.error().code == Errc::kTooLarge);
  CHECK(filled.error().message.find("make room") != std::string::npos);
}

TEST_CASE("a checkpoint is a regular file", "[storage]") {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(read_checkpoint_info(null.get()));
}

}  // namespace capsule

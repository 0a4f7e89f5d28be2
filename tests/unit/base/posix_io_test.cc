#include "base/posix_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <thread>

namespace capsule {
namespace {

bool is_close_on_exec(const UniqueFd& fd) { return (fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0; }

std::string read_some(int fd) {
  std::array<char, 64> block{};
  const ssize_t got = read(fd, block.data(), block.size());
  return {block.data(), got > 0 ? static_cast<size_t>(got) : 0};
}

}  // namespace

TEST_CASE("pipes and socket pairs are close-on-exec and connected") {
  auto pipe = make_pipe();
  auto pair = make_stream_socketpair();
  REQUIRE((pipe && pair));
  for (const UniqueFd* fd : {&pipe->first, &pipe->second, &pair->first, &pair->second}) CHECK(is_close_on_exec(*fd));
  REQUIRE(write_all(pipe->second.get(), "through"));
  CHECK(read_some(pipe->first.get()) == "through");
  REQUIRE(write_all(pair->second.get(), "back"));
  CHECK(read_some(pair->first.get()) == "back");
}

TEST_CASE("what is not a regular file is refused at once where only one will do") {
  char directory[] = "/tmp/capsule-posix-XXXXXX";
  REQUIRE(mkdtemp(directory) != nullptr);
  const std::string fifo = std::string(directory) + "/fifo", plain = std::string(directory) + "/plain";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const UniqueFd file(open(plain.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(write_all(file.get(), "text"));
  CHECK(read_regular_file(plain, 100).value() == "text");
  CHECK(read_regular_file(plain, 3).error().code == Errc::kTooLarge);
  for (const std::string& path : {fifo, std::string(directory), std::string("/dev/zero")}) {
    const auto text = read_regular_file(path, 100);
    REQUIRE_FALSE(text);
    CHECK(text.error().message == path + " is not a regular file");
  }
  unlink(fifo.c_str());
  unlink(plain.c_str());
  rmdir(directory);
}

TEST_CASE("a nonblocking descriptor answers at once") {
  auto pipe = make_pipe();
  REQUIRE(pipe);
  REQUIRE(set_nonblocking(pipe->first.get()));
  char byte = 0;
  CHECK(read(pipe->first.get(), &byte, 1) == -1);
  CHECK(errno == EAGAIN);
  CHECK_FALSE(set_nonblocking(-1));
}

TEST_CASE("a file is read whole or, when larger than the limit, not at all") {
  std::array<char, 32> path{"/tmp/capsule-test-XXXXXX"};
  const UniqueFd file(mkstemp(path.data()));
  REQUIRE(file);
  const std::string text(10'000, 'x');
  REQUIRE(write_all(file.get(), text));
  CHECK(read_file(path.data(), 10'000) == text);
  const auto too_large = read_file(path.data(), 9'999);
  unlink(path.data());
  REQUIRE_FALSE(too_large);
  CHECK(too_large.error().code == Errc::kTooLarge);
  const auto missing = read_file(path.data(), 10);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Errc::kSystem);
}

TEST_CASE("write_all waits for room in a nonblocking pipe") {
  auto pipe = make_pipe();
  REQUIRE(pipe);
  REQUIRE(set_nonblocking(pipe->second.get()));
  const std::string text(1U << 20, 'y');
  Status status;
  std::thread writer([&] {
    status = write_all(pipe->second.get(), text);
    pipe->second.reset();
  });
  size_t received = 0;
  for (std::string piece = read_some(pipe->first.get()); !piece.empty(); piece = read_some(pipe->first.get())) {
    received += piece.size();
  }
  writer.join();
  CHECK(status);
  CHECK(received == text.size());
}

TEST_CASE("descriptors travel with the first byte and arrive close-on-exec") {
  auto pair = make_stream_socketpair();
  auto pipe = make_pipe();
  REQUIRE((pair && pipe));
  const std::array<int, 1> passed{pipe->second.get()};
  REQUIRE(send_with_fds(pair->first.get(), "take it", passed, 0) == 7U);
  std::array<char, 64> into{};
  std::vector<UniqueFd> received;
  REQUIRE(receive_with_fds(pair->second.get(), into, received, 0) == 7U);
  REQUIRE(received.size() == 1);
  CHECK(is_close_on_exec(received[0]));
  REQUIRE(write_all(received[0].get(), "same pipe"));
  CHECK(read_some(pipe->first.get()) == "same pipe");
}

TEST_CASE("more descriptors than one frame may carry are refused before sending") {
  auto pair = make_stream_socketpair();
  REQUIRE(pair);
  const std::array<int, kMaxPassedFds + 1> passed{};
  const auto sent = send_with_fds(pair->first.get(), "x", passed, 0);
  REQUIRE_FALSE(sent);
  CHECK(sent.error().code == Errc::kTooLarge);
}

TEST_CASE("the maximum of descriptors arrives whole") {
  auto pair = make_stream_socketpair();
  REQUIRE(pair);
  std::array<int, kMaxPassedFds> passed{};
  passed.fill(pair->first.get());
  REQUIRE(send_with_fds(pair->first.get(), "x", passed, 0));
  std::array<char, 8> into{};
  std::vector<UniqueFd> received;
  REQUIRE(receive_with_fds(pair->second.get(), into, received, 0) == 1U);
  CHECK(received.size() == kMaxPassedFds);
}

TEST_CASE("the end of a peer is zero bytes, and a send to it is an error, not a signal") {
  auto pair = make_stream_socketpair();
  REQUIRE(pair);
  pair->second.reset();
  std::array<char, 8> into{};
  std::vector<UniqueFd> received;
  CHECK(receive_with_fds(pair->first.get(), into, received, 0) == 0U);
  CHECK_FALSE(send_with_fds(pair->first.get(), "x", {}, 0));
}

}  // namespace capsule

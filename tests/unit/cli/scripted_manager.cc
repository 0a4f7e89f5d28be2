#include "tests/unit/cli/scripted_manager.h"

#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include "base/posix_io.h"
#include "protocol/codec.h"
#include "tests/unit/cli/memory_file.h"

namespace capsule::cli {

void ManagerEnd::send(const Message& message) { send_raw(encode_frame(message)); }

void ManagerEnd::send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) throw std::runtime_error("the client is gone");
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

Message ManagerEnd::receive() {
  for (;;) {
    const auto payload = decoder_.next();
    if (!payload) throw std::runtime_error(payload.error().message);
    if (*payload) {
      Result<Message> message = decode(**payload);
      if (!message) throw std::runtime_error(message.error().message);
      return std::move(*message);
    }
    std::array<char, 65536> block;
    const ssize_t got = recv(socket_.get(), block.data(), block.size(), 0);
    if (got <= 0) throw std::runtime_error("the client closed the connection");
    decoder_.feed({block.data(), static_cast<size_t>(got)});
  }
}

Connection make_connection() {
  auto pair = make_stream_socketpair();
  REQUIRE(pair);
  return {Client(std::move(pair->first), "test.sock"), ManagerEnd(std::move(pair->second))};
}

ScriptedManager::ScriptedManager(ManagerEnd end, std::function<void(ManagerEnd&)> script)
    : thread_([this, end = std::move(end), script = std::move(script)]() mutable {
        try {
          script(end);
        } catch (const std::exception& error) {
          problem_ = error.what();
        }
        end.close();
      }) {}

ScriptedManager::~ScriptedManager() {
  thread_.join();
  CHECK(problem_ == "");
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "capsule-test-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace capsule::cli

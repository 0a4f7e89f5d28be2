#include "base/posix_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace capsule {

Result<FdPair> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("pipe2");
  return FdPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

namespace {
Result<FdPair> make_socketpair(int type) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_failure("socketpair");
  return FdPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}
}  // namespace

Result<FdPair> make_stream_socketpair() { return make_socketpair(SOCK_STREAM); }
Result<FdPair> make_packet_socketpair() { return make_socketpair(SOCK_SEQPACKET); }
UniqueFd duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

Status set_nonblocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return system_failure("fcntl O_NONBLOCK");
  return {};
}

namespace {

Result<std::string> read_to_end(const UniqueFd& file, const std::string& path, size_t limit) {
  std::string text;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t got = read(file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read " + path);
    if (got == 0) return text;
    if (text.size() + static_cast<size_t>(got) > limit) {
      return failure(Errc::kTooLarge, path + " is larger than " + std::to_string(limit) + " bytes");
    }
    text.append(block.data(), static_cast<size_t>(got));
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t limit) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_failure("open " + path);
  return read_to_end(file, path, limit);
}

Result<std::string> read_regular_file(const std::string& path, size_t limit) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return system_failure("open " + path);
  struct stat found {};
  if (fstat(file.get(), &found) != 0) return system_failure("look at " + path);
  if (!S_ISREG(found.st_mode)) return failure(Errc::kInvalid, path + " is not a regular file");
  return read_to_end(file, path, limit);
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<size_t>(put));
    } else if (errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return system_failure("write");
    }
  }
  return {};
}

Result<size_t> send_with_fds(int socket, std::string_view bytes, std::span<const int> fds, int flags) {
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPassedFds * sizeof(int))> control{};
  if (!fds.empty()) {
    if (fds.size() > kMaxPassedFds) return failure(Errc::kTooLarge, "too many descriptors in one frame");
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  for (;;) {
    const ssize_t put = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    if (put >= 0) return static_cast<size_t>(put);
    if (errno != EINTR) return system_failure("sendmsg");
  }
}

Result<size_t> receive_with_fds(int socket, std::span<char> into, std::vector<UniqueFd>& fds, int flags) {
  iovec piece{into.data(), into.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPassedFds * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return system_failure("recvmsg");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return static_cast<size_t>(got);
}

}  // namespace capsule

// Thin wrappers of system calls that each would otherwise be written three times. All descriptors are close-on-exec.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace capsule {

struct FdPair {
  UniqueFd first;   // pipe: read end; socketpair: ours
  UniqueFd second;  // pipe: write end; socketpair: theirs
};

Result<FdPair> make_pipe();
Result<FdPair> make_stream_socketpair();
Result<FdPair> make_packet_socketpair();  // whole messages, in order (SOCK_SEQPACKET)
UniqueFd duplicate(int fd);
Status set_nonblocking(int fd);

// Whole file, at most `limit` bytes (more is an error). For small files of /proc and configuration.
Result<std::string> read_file(const std::string& path, size_t limit);
// The same of a regular file only (kInvalid): a FIFO or a device in its place could keep the caller waiting.
Result<std::string> read_regular_file(const std::string& path, size_t limit);

// Writes all of it, waiting as needed (EINTR and EAGAIN included).
Status write_all(int fd, std::string_view bytes);

// One message with descriptors attached to its first byte; returns what the kernel took. kMaxPassedFds at most.
inline constexpr size_t kMaxPassedFds = 8;
Result<size_t> send_with_fds(int socket, std::string_view bytes, std::span<const int> fds, int flags);

// Receives bytes, and appends descriptors that came with them. 0 means end of file.
Result<size_t> receive_with_fds(int socket, std::span<char> into, std::vector<UniqueFd>& fds, int flags);

}  // namespace capsule

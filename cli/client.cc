#include "cli/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "protocol/codec.h"

namespace capsule::cli {
namespace {

constexpr size_t kReadBytes = 128u << 10;
constexpr const char* kSoftware = "capsule/" CAPSULE_VERSION;

constexpr std::array kErrorCodes{Errc::kInvalid,     Errc::kTooLarge, Errc::kNotFound, Errc::kConflict, Errc::kRefused,
                                 Errc::kUnavailable, Errc::kTimedOut, Errc::kClosed,   Errc::kSystem};

// A socket below a directory that others can write to may have been put there by them; the kernel knows who listens.
Status check_listener(int socket, const SocketCandidate& where) {
  if (where.owner != SocketOwner::kUser) return {};
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return system_failure("SO_PEERCRED");
  if (peer.uid == geteuid() || peer.uid == 0) return {};
  return failure(Errc::kRefused, where.path + " is served by another user (uid " + std::to_string(peer.uid) + ")");
}

uint64_t reply_to(const Message& message) {
  return std::visit(
      [](const auto& m) -> uint64_t {
        if constexpr (requires { m.re; }) {
          return m.re;
        } else {
          return 0;
        }
      },
      message);
}

bool is_closed(int error) { return error == EPIPE || error == ECONNRESET; }

tl::unexpected<Error> gone() { return failure(Errc::kClosed, "the manager went away"); }

}  // namespace

Error error_from(const ErrorReply& reply) {
  const auto found =
      std::find_if(kErrorCodes.begin(), kErrorCodes.end(), [&](Errc code) { return to_string(code) == reply.code; });
  return {found == kErrorCodes.end() ? Errc::kSystem : *found, reply.message};
}

Result<Client> Client::connect(const SocketCandidate& where) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (where.path.size() >= sizeof address.sun_path) {
    return failure(Errc::kInvalid, "the socket's path is longer than " + std::to_string(sizeof address.sun_path - 1) +
                                       " bytes: " + where.path);
  }
  std::memcpy(address.sun_path, where.path.data(), where.path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_failure("socket");
  const TimePoint deadline = now() + kHelloTimeout;
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) {
      return failure(Errc::kUnavailable, "no manager listens at " + where.path);
    }
    if (errno == EACCES && where.owner == SocketOwner::kSystem) {
      return failure(Errc::kUnavailable, "the manager at " + where.path + " is not for this user");
    }
    if (errno != EINTR && errno != EAGAIN) return system_failure("connect to " + where.path);
    if (now() >= deadline) return failure(Errc::kTimedOut, "the manager at " + where.path + " does not answer");
    poll(nullptr, 0, 20);  // EAGAIN: its backlog is full, and a Unix socket cannot be polled for room there
  }
  if (auto status = check_listener(socket.get(), where); !status) return tl::unexpected(status.error());
  Client client(std::move(socket), where.path);
  const Status greeted = client.exchange_hello(deadline);
  if (greeted) return client;
  if (greeted.error().code != Errc::kClosed) return tl::unexpected(greeted.error());
  // It was on its way out (a private one that was idle): as good as nobody.
  return failure(Errc::kUnavailable, "the manager at " + where.path + " closed the connection");
}

Status Client::exchange_hello(TimePoint deadline) {
  Hello own;
  own.version = kProtocolVersion;
  own.role = "client";
  own.software = kSoftware;
  own.features = own_features();
  queue(own);
  Result<Message> answer = receive(deadline);
  if (!answer) {
    if (answer.error().code != Errc::kTimedOut) return tl::unexpected(answer.error());
    return failure(Errc::kTimedOut, "the manager at " + path_ + " does not answer");
  }
  // Whatever its reason, somebody does listen there.
  if (const auto* refusal = std::get_if<ErrorReply>(&*answer)) {
    return failure(Errc::kRefused, "the manager at " + path_ + " refused the connection: " + refusal->message);
  }
  auto* hello = std::get_if<Hello>(&*answer);
  if (hello == nullptr || hello->role != "manager") {
    return failure(Errc::kInvalid, "what listens at " + path_ + " is not a capsule manager");
  }
  if (!version_is_supported(hello->version)) {
    return failure(Errc::kInvalid, "the manager at " + path_ + " speaks protocol " + std::to_string(hello->version) +
                                       ", this command " + std::to_string(kProtocolVersion));
  }
  manager_ = std::move(*hello);
  return {};
}

void Client::queue(const Message& message) {
  if (sent_ == outbox_.size()) {
    outbox_.clear();
    sent_ = 0;
  }
  outbox_ += encode_frame(message);
}

Status Client::flush() {
  while (sent_ < outbox_.size()) {
    const ssize_t put =
        send(socket_.get(), outbox_.data() + sent_, outbox_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put >= 0) {
      sent_ += static_cast<size_t>(put);
    } else if (errno == EAGAIN) {
      return {};
    } else if (is_closed(errno)) {
      return gone();
    } else if (errno != EINTR) {
      return system_failure("send to the manager");
    }
  }
  return {};
}

Status Client::fill() {
  std::array<char, kReadBytes> block;
  const ssize_t got = recv(socket_.get(), block.data(), block.size(), MSG_DONTWAIT);
  if (got > 0) {
    decoder_.feed({block.data(), static_cast<size_t>(got)});
    return {};
  }
  if (got == 0 || is_closed(errno)) return gone();
  if (errno == EAGAIN || errno == EINTR) return {};
  return system_failure("receive from the manager");
}

Result<std::optional<Message>> Client::next() {
  const auto payload = decoder_.next();
  if (!payload) return tl::unexpected(payload.error());
  if (!*payload) return std::optional<Message>();
  Result<Message> message = decode(**payload);
  if (!message)
    return failure(Errc::kInvalid, "the manager sent a frame that cannot be read: " + message.error().message);
  return std::optional<Message>(std::move(*message));
}

Status Client::wait(short events, TimePoint deadline) {
  const int64_t left_ms = to_milliseconds(deadline - now());
  if (left_ms <= 0) return failure(Errc::kTimedOut, "the manager does not answer");
  pollfd socket{socket_.get(), events, 0};
  if (poll(&socket, 1, static_cast<int>(std::min<int64_t>(left_ms, 60'000))) < 0 && errno != EINTR) {
    return system_failure("poll");
  }
  return {};
}

Result<Message> Client::receive(TimePoint deadline) {
  for (;;) {
    // What has arrived is read even when sending fails: the manager may have said why before it closed.
    const Status sent = flush();
    Result<std::optional<Message>> message = next();
    if (!message) return tl::unexpected(message.error());
    if (*message) return std::move(**message);
    const auto events = static_cast<short>(unsent() > 0 && sent ? POLLIN | POLLOUT : POLLIN);
    if (auto status = wait(events, deadline); !status) return tl::unexpected(status.error());
    if (auto status = fill(); !status) return tl::unexpected(status.error());
  }
}

Result<Message> Client::call(uint64_t id, const Message& request) {
  queue(request);
  const TimePoint deadline = now() + kReplyTimeout;
  for (;;) {
    Result<Message> answer = receive(deadline);
    if (!answer) return answer;
    const auto* refusal = std::get_if<ErrorReply>(&*answer);
    if (refusal != nullptr && (refusal->re == id || refusal->re == 0)) return tl::unexpected(error_from(*refusal));
    if (reply_to(*answer) == id) return answer;
  }
}

}  // namespace capsule::cli

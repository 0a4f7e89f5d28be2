#include "manager/intake/listener.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "manager/files/own_directory.h"
#include "manager/observe/log.h"
#include "protocol/codec.h"

namespace capsule {
namespace {

constexpr int kBacklog = 128;
constexpr int kAcceptsAtOnce = 16;             // then others get their turn
constexpr size_t kUsersRemembered = 1024;      // when there are more, those without connections are forgotten
constexpr milliseconds kDescriptorRetry{100};  // after EMFILE

// Held for life, never unlinked: an unlinked lock could be held twice.
Result<UniqueFd> take_lock(const std::string& path) {
  UniqueFd lock(open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return system_failure("open " + path + ".lock");
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return system_failure("flock " + path + ".lock");
  return failure(Errc::kConflict, "another manager already listens at " + path);
}

Status give_to_group(const std::string& path, const std::string& group) {
  if (group.empty()) return {};
  const ::group* found = getgrnam(group.c_str());
  if (found == nullptr) return failure(Errc::kNotFound, "there is no group '" + group + "' (server.socket_group)");
  if (chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0 || chmod(path.c_str(), 0660) != 0) {
    return system_failure("chown " + path);
  }
  return {};
}

}  // namespace

Result<BoundSocket> bind_socket(const std::string& path, const std::string& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return failure(Errc::kInvalid, "the socket's path is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const std::string directory = std::filesystem::path(path).parent_path().string();  // empty: where we are
  if (const Status made = directory.empty() ? Status() : make_own_directory(directory); !made) {
    return tl::unexpected<Error>(made.error());
  }
  auto lock = take_lock(path);
  if (!lock) return tl::unexpected<Error>(lock.error());
  struct stat there {};
  if (lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) return failure(Errc::kRefused, path + " exists and is not a socket");
    unlink(path.c_str());  // a dead manager's: we hold the lock
  }
  BoundSocket bound;
  bound.socket.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!bound.socket) return system_failure("socket");
  const mode_t before = umask(0177);
  const int status = bind(bound.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(before);
  if (status != 0) return system_failure("bind " + path);
  if (const Status given = give_to_group(path, group); !given) return tl::unexpected<Error>(given.error());
  if (listen(bound.socket.get(), kBacklog) != 0) return system_failure("listen " + path);
  bound.lock = std::move(*lock);
  bound.path = path;
  return bound;
}

Listener::Listener(Loop& loop, BoundSocket bound, ClientConfig config, Others others, ClientService& service,
                   Metrics& metrics, Gone gone)
    : loop_(loop),
      watch_(loop, std::move(bound.socket)),
      lock_(std::move(bound.lock)),
      path_(bound.path),
      unlink_path_(bound.path),
      config_(config),
      others_(others),
      service_(service),
      metrics_(metrics),
      gone_(std::move(gone)),
      retry_(loop) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (path_.empty() && getsockname(watch_.fd(), reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    path_ = address.sun_path;
  }
}

Listener::~Listener() {
  if (!unlink_path_.empty()) unlink(unlink_path_.c_str());
}

void Listener::start() {
  watch_.on_readable([this] { accept_some(); });
}

void Listener::stop() {
  watch_.close();
  if (!unlink_path_.empty()) unlink(std::exchange(unlink_path_, {}).c_str());
}

void Listener::tell_all(const Message& message) {
  for (const auto& [key, connection] : connections_) connection->send(message);
}

void Listener::close_all() {
  for (const auto& [key, connection] : connections_) connection->close();
}

// Why this user gets no further connection; empty: it does.
std::string Listener::full_for(uid_t uid) const {
  if (connections_.size() >= config_.max_connections) return "too many connections (client.max_connections)";
  const auto own = std::count_if(connections_.begin(), connections_.end(),
                                 [&](const auto& entry) { return entry.second->uid() == uid; });
  const uint64_t most = config_.max_connections_per_uid;
  if (most == 0 || static_cast<uint64_t>(own) < most) return "";
  return "too many connections of this user (client.max_connections_per_uid)";
}

namespace {

// What runs and sessions of those who are in need: else connections alone could take all descriptors. The kernel gives
// the lowest number there is, so a number tells how many are in use.
constexpr rlim_t kDescriptorsKept = 64;

bool is_one_too_many(int descriptor) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  return static_cast<rlim_t>(descriptor) + std::min(kDescriptorsKept, limit.rlim_cur / 4) >= limit.rlim_cur;
}

}  // namespace

std::shared_ptr<TokenBucket> Listener::time_of(uid_t uid) {
  if (times_.size() >= kUsersRemembered)
    std::erase_if(times_, [](const auto& each) { return each.second.use_count() == 1; });
  auto& time = times_[uid];
  if (!time) {
    const auto rate = config_.frames_per_s == 0 ? microseconds::zero() : ClientConnection::kRequestTime;  // no limits
    time = std::make_shared<TokenBucket>(rate.count(), ClientConnection::kRequestTimeBurst.count(), now());
  }
  return time;
}

void Listener::accept_some() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    UniqueFd socket(accept4(watch_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EMFILE || errno == ENFILE) {
        log_warning("no descriptor left for a new client; waiting");
        watch_.pause_reading();
        retry_.after(kDescriptorRetry, [this] { watch_.resume_reading(); });
      }
      return;
    }
    const auto peer = identify_peer(socket.get(), others_);
    const std::string full = !peer                           ? ""
                             : is_one_too_many(socket.get()) ? "too few descriptors are left for another client"
                                                             : full_for(peer->uid);
    if (!peer || !full.empty()) {
      metrics_.client_connection(label::Connection::kRefused);
      const std::string why = peer ? full : peer.error().message;
      log_warning("a client was refused", {{"why", why}});
      const std::string frame = encode_frame(ErrorReply{0, peer ? "unavailable" : "refused", why});
      (void)send(socket.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      continue;
    }
    metrics_.client_connection(label::Connection::kAccepted);
    const ClientKey key = ++last_key_;
    auto connection = std::make_shared<ClientConnection>(loop_, std::move(socket), key, *peer, config_, service_,
                                                         metrics_, time_of(peer->uid), [this](ClientKey gone) {
                                                           connections_.erase(gone);
                                                           metrics_.set_client_connections(connections_.size());
                                                           gone_(gone);
                                                         });
    connections_[key] = connection;
    metrics_.set_client_connections(connections_.size());
    connection->begin();
  }
}

}  // namespace capsule

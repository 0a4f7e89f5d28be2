#include "manager/intake/client_connection.h"

#include <poll.h>

#include "manager/files/file_service.h"
#include "manager/link/frame_label.h"
#include "manager/observe/log.h"
#include "manager/storage/run_records.h"
#include "protocol/codec.h"

namespace capsule {
namespace {
constexpr seconds kWatchInterval{1};
constexpr size_t kUnreadRefusals = 256;
constexpr size_t kDocumentBytes = limits::kFrameBytes - 4096;  // of JSON; the rest of its frame is less than that
constexpr milliseconds kLastWords{200};  // for the error frame to leave before the connection is closed

// Which request it is, or is the answer to; 0: neither.
uint64_t id_of(const Message& message) {
  return std::visit(
      [](const auto& m) -> uint64_t {
        if constexpr (requires { m.re; }) {
          return m.re;
        } else if constexpr (requires { m.id; }) {
          return m.id;
        } else {
          return 0;
        }
      },
      message);
}

bool has_hung_up(int socket) {
  pollfd look{socket, 0, 0};
  return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
}

Status status_of(const Result<FileData>& data) { return data ? Status() : Status(tl::unexpected<Error>(data.error())); }
}  // namespace

ClientConnection::ClientConnection(Loop& loop, UniqueFd socket, ClientKey key, Peer peer, const ClientConfig& config,
                                   ClientService& service, Metrics& metrics, std::shared_ptr<TokenBucket> user_time,
                                   Gone gone)
    : loop_(loop),
      key_(key),
      peer_(peer),
      config_(config),
      service_(service),
      metrics_(metrics),
      gone_(std::move(gone)),
      channel_(std::make_shared<FrameChannel>(loop, std::move(socket), PassedFds::kRefused, label::Socket::kClient,
                                              metrics)),
      frames_(config.frames_per_s, config.frame_burst, now()),
      bytes_(config.bytes_per_s, config.byte_burst, now()),
      user_time_(std::move(user_time)),
      backlog_(config.send_buffer_bytes),
      throttle_timer_(loop),
      watch_timer_(loop),
      begun_at_(now()) {}

void ClientConnection::begin() {
  channel_->set_max_payload(limits::kHelloBytes);
  FrameChannel::Handlers handlers;
  handlers.on_message = [self = weak_from_this()](Message message, size_t bytes) {
    if (const auto connection = self.lock()) connection->handle(std::move(message), bytes);
  };
  handlers.on_end = [self = weak_from_this()](const Error& error) {
    const auto connection = self.lock();
    if (!connection) return;
    if (error.code == Errc::kInvalid || error.code == Errc::kTooLarge) return connection->fail(error);
    connection->ended();
  };
  handlers.on_progress = [self = weak_from_this()] {
    if (const auto connection = self.lock()) connection->progress();
  };
  channel_->start(std::move(handlers));
  watch();
}

void ClientConnection::handle(Message message, size_t payload_bytes) {
  if (closing_) return;
  frame_since_ = TimePoint::max();
  const TimePoint begun = now();
  metrics_.rate_limit_asked();
  const Duration rate_wait = std::max(frames_.take(1, begun), bytes_.take(payload_bytes, begun));
  if (!greeted_) {
    take_hello(message);
    return pause_for(rate_wait);
  }
  const bool metered = is_metered(message);
  serve(std::move(message));
  if (!metered) return pause_for(rate_wait);
  const TimePoint ended = now();
  const auto spent = static_cast<uint64_t>(std::max<int64_t>(to_microseconds(ended - begun), 0));
  pause_for(std::max(rate_wait, user_time_->take(spent, ended)));
}

void ClientConnection::take_hello(const Message& message) {
  if (const auto* hello = std::get_if<Hello>(&message)) return greet(*hello);
  fail({Errc::kInvalid, "the first frame must be hello"});
}

void ClientConnection::greet(const Hello& hello) {
  if (!version_is_supported(hello.version)) {
    return fail({Errc::kInvalid, "protocol version " + std::to_string(hello.version) + " is not spoken here; " +
                                     std::to_string(kOldestProtocolVersion) + " to " +
                                     std::to_string(kProtocolVersion) + " are"});
  }
  greeted_ = true;
  channel_->set_max_payload(limits::kFrameBytes);
  Hello reply = service_.hello();
  reply.features = common_features(own_features(), hello.features);
  send(reply);
}

// Answers are small, but who never reads them can ask for many. Cancel and input are heard all the same.
bool ClientConnection::shed_unread(const Message& message) {
  if (channel_->queued_bytes() < 2 * config_.send_buffer_bytes) return false;
  if (std::holds_alternative<Cancel>(message) || std::holds_alternative<Input>(message)) return false;
  if (++unread_refusals_ > kUnreadRefusals) {
    log_warning_seldom("client asks without reading and is closed", {{"uid", std::to_string(peer_.uid)}});
    ended();
    return true;
  }
  refuse(id_of(message),
         {Errc::kUnavailable, "read the answers so far before asking for more (client.send_buffer_bytes)"});
  return true;
}

void ClientConnection::serve(Message message) {
  if (const auto type = request_label(message)) {
    metrics_.requested(*type);
    requests_.asked(id_of(message), now());
  }
  if (shed_unread(message)) return;
  if (auto* execute = std::get_if<Execute>(&message)) {
    const uint64_t id = execute->id;
    if (!execute->run_id.empty()) return refuse(id, {Errc::kInvalid, "run ids are made by the manager"});
    auto accepted = service_.submit(std::move(*execute), key_, peer_.uid, weak_from_this());
    if (!accepted) return refuse(id, accepted.error());
    accepted->re = id;
    return send_soon(*accepted);  // `started` mostly follows at once, and a short run is over by then
  }
  if (const auto* input = std::get_if<Input>(&message)) {
    if (const Status taken = service_.input(*input, key_); !taken) fail(taken.error());
    return;
  }
  if (const auto* cancel = std::get_if<Cancel>(&message)) {
    const Status done = service_.cancel(cancel->run_id, peer_.uid);
    if (!done) return refuse(cancel->id, done.error());
    return send(Ack{cancel->id, {}});
  }
  if (const auto* request = std::get_if<SessionRequest>(&message)) {
    return service_.session(*request, peer_.uid, document_for(request->id));
  }
  if (const auto* request = std::get_if<InfoRequest>(&message)) {
    auto json = service_.info(*request, peer_.uid);
    return answer(request->id, std::move(json));
  }
  if (serve_checkpoints(message) || serve_files(message) || serve_records(message) || serve_looks(message)) return;
  if (const auto* ping = std::get_if<Ping>(&message)) return send(Ack{ping->id, {}});
  fail({Errc::kInvalid, "clients do not send '" + std::string(type_of(message)) + "'"});
}

bool ClientConnection::serve_checkpoints(const Message& message) {
  if (const auto* put = std::get_if<CheckpointPut>(&message)) {
    service_.checkpoints().put(
        *put, key_, peer_.uid,
        [self = weak_from_this(), put = CheckpointPut{put->id, put->name, 0, put->last, {}}](const Status& taken) {
          const auto connection = self.lock();
          if (!connection) return;
          const uint64_t id = put.id;
          if (put.last || !taken) connection->transferred({"checkpoint.import", "checkpoint", put.name}, taken);
          taken ? connection->send(Ack{id, {}}) : connection->refuse(id, taken.error());
        });
    return true;
  }
  const auto* get = std::get_if<FileGet>(&message);
  if (get == nullptr || get->checkpoint.empty()) return false;
  service_.checkpoints().get(*get, peer_.uid,
                             [self = weak_from_this(), id = get->id, name = get->checkpoint,
                              is_first = get->offset == 0](Result<FileData> data) {
                               const auto connection = self.lock();
                               if (!connection) return;
                               if (is_first)
                                 connection->transferred({"checkpoint.export", "checkpoint", name}, status_of(data));
                               data ? connection->send(*data) : connection->refuse(id, data.error());
                             });
  return true;
}

ClientService::Answer ClientConnection::document_for(uint64_t id) {
  return [self = weak_from_this(), id](Result<std::string> json) {
    if (const auto connection = self.lock()) connection->answer(id, std::move(json));
  };
}

// Some of them hold what programs said, which may be of any size.
void ClientConnection::answer(uint64_t id, Result<std::string> json) {
  if (!json) return refuse(id, json.error());
  if (json->size() > kDocumentBytes) {
    return refuse(id, {Errc::kTooLarge,
                       "the answer has " + std::to_string(json->size()) + " bytes, which is more than a frame takes"});
  }
  send(Document{id, {std::move(*json)}});
}

bool ClientConnection::serve_records(const Message& message) {
  if (const auto* trace = std::get_if<TraceRequest>(&message)) {
    return service_.trace(trace->run_id, peer_.uid, document_for(trace->id)), true;
  }
  const auto* request = std::get_if<RecordRequest>(&message);
  if (request == nullptr) return false;
  const auto answer = document_for(request->id);
  RunRecords& records = service_.records();
  if (request->operation == "ls") {
    records.list(peer_.uid, *request, answer);
  } else if (request->operation == "show") {
    records.show(peer_.uid, request->run_id, answer);
  } else if (request->operation == "log") {
    records.output(peer_.uid, *request, [self = weak_from_this(), id = request->id](Result<RecordData> data) {
      const auto connection = self.lock();
      if (!connection) return;
      if (!data) return connection->refuse(id, data.error());
      data->re = id;
      connection->send(*data);
    });
  } else {
    refuse(request->id, {Errc::kInvalid, "operation is ls, show or log"});
  }
  return true;
}

bool ClientConnection::serve_files(Message& message) {
  FileService& files = service_.files();
  const auto acknowledge = [this](uint64_t id, const Status& done) {
    done ? send(Ack{id, {}}) : refuse(id, done.error());
    return true;
  };
  const auto answer = [this](uint64_t id, auto reply) {
    if (!reply) return refuse(id, reply.error()), true;
    reply->re = id;
    send(*reply);
    return true;
  };
  if (const auto* put = std::get_if<FilePut>(&message)) return acknowledge(put->id, files.put(*put, key_));
  if (const auto* store = std::get_if<FileStore>(&message)) {
    const Status begun =
        files.store(*store, key_, peer_.uid,
                    [self = weak_from_this(), id = store->id, session = store->session](const Status& stored) {
                      const auto connection = self.lock();
                      if (!connection) return;
                      connection->transferred({"files.store", "session", session}, stored);
                      stored ? connection->send(Ack{id, {}}) : connection->refuse(id, stored.error());
                    });
    return begun ? true : acknowledge(store->id, begun);
  }
  if (const auto* done = std::get_if<FileDone>(&message)) return acknowledge(done->id, files.done(*done, key_));
  const auto* list = std::get_if<FileList>(&message);
  const auto* get = std::get_if<FileGet>(&message);
  if (list == nullptr && get == nullptr) return false;
  const uint64_t id = list != nullptr ? list->id : get->id;
  if (channel_->queued_bytes() >= config_.send_buffer_bytes) {
    return refuse(id,
                  {Errc::kUnavailable, "read the answers so far before asking for more (client.send_buffer_bytes)"}),
           true;
  }
  if (list != nullptr) return answer(id, files.list(*list, key_, peer_.uid));
  auto data = files.get(*get, key_, peer_.uid);
  const bool is_of_run = get->session.empty();
  if (get->offset == 0) {
    transferred({"files.read", is_of_run ? "run" : "session", is_of_run ? get->run_id : get->session}, status_of(data));
  }
  return answer(id, std::move(data));
}

void ClientConnection::transferred(const Transfer& transfer, const Status& done) {
  service_.transferred(transfer, peer_.uid, done);
}

void ClientConnection::send(const Message& message) {
  if (closing_) return;
  count_answer(message);
  channel_->send(message);
}

void ClientConnection::send_soon(const Message& message) {
  if (closing_) return;
  count_answer(message);
  channel_->send_soon(message);
}

// A display has an id, too, but is no answer.
void ClientConnection::count_answer(const Message& message) {
  if (std::holds_alternative<Display>(message)) return;
  if (const auto took = requests_.answered(id_of(message), now())) metrics_.request_answered(*took);
}

void ClientConnection::send_output(const Output& meta, std::string_view data) {
  if (closing_ || !channel_->is_open()) return;
  metrics_.output_enqueued(data.size());
  channel_->send_bytes(label::Frame::kOutput, encode_output_prefix(meta, data.size()), std::string(data));
  metrics_.output_queue_depth(channel_->queued_bytes());
  count_sent_output();
}

void ClientConnection::count_sent_output() {
  const FrameChannel::Bodies sent = channel_->sent_bodies();
  if (sent.bytes == counted_.bytes) return;
  metrics_.output_sent(sent.whole - counted_.whole, sent.bytes - counted_.bytes);
  counted_ = sent;
}

bool ClientConnection::may_read_output() { return backlog_.may_read(channel_->queued_bytes()); }

void ClientConnection::progress() {
  stalled_since_ = TimePoint::max();
  unread_refusals_ = 0;
  count_sent_output();
  if (backlog_.is_blocked() && may_read_output()) service_.can_take_more(key_);
}

void ClientConnection::refuse(uint64_t re, const Error& error) {
  metrics_.request_failed(error.code);
  send(ErrorReply{re, std::string(to_string(error.code)), error.message});
}

void ClientConnection::fail(const Error& error) {
  log_warning_seldom("client broke the protocol", {{"uid", std::to_string(peer_.uid)}, {"error", error.message}});
  refuse(0, error);
  closing_ = true;
  channel_->pause_reading();
  throttle_timer_.after(kLastWords, [self = weak_from_this()] {
    if (const auto connection = self.lock()) connection->ended();
  });
}

// What is about runs has limits of its own: how many are queued, and how large they are.
bool ClientConnection::is_metered(const Message& message) const {
  return !std::holds_alternative<Execute>(message) && !std::holds_alternative<Input>(message) &&
         !std::holds_alternative<Cancel>(message);
}

void ClientConnection::pause_for(Duration wait) {
  if (wait == Duration::zero() || closing_) return;
  metrics_.rate_limit_waited(wait);
  channel_->pause_reading();
  throttle_timer_.after(wait, [self = weak_from_this()] {
    const auto connection = self.lock();
    if (!connection) return;
    connection->metrics_.rate_limit_woke();
    // Thousands of its requests may be here still, and nobody to answer them to.
    has_hung_up(connection->channel_->fd()) ? connection->ended() : connection->channel_->resume_reading();
  });
}

// Deadlines are looked at once a second: they are seconds long, and a timer for each frame would cost more.
void ClientConnection::watch() {
  watch_timer_.after(kWatchInterval, [self = weak_from_this()] {
    const auto connection = self.lock();
    if (!connection) return;
    const TimePoint at = now();
    ClientConnection& c = *connection;
    if (!c.channel_->is_mid_frame()) {
      c.frame_since_ = TimePoint::max();
    } else if (c.frame_since_ == TimePoint::max()) {
      c.frame_since_ = at;
    }
    if (c.channel_->queued_bytes() == 0) {
      c.stalled_since_ = TimePoint::max();
    } else if (c.stalled_since_ == TimePoint::max()) {
      c.stalled_since_ = at;
    }
    if (!c.greeted_ && at - c.begun_at_ > c.config_.hello_timeout) {
      c.fail({Errc::kTimedOut, "no hello in time"});
    } else if (c.frame_since_ < at && at - c.frame_since_ > c.config_.partial_frame_timeout) {
      c.fail({Errc::kTimedOut, "a frame took too long to arrive"});
    } else if (c.stalled_since_ < at && at - c.stalled_since_ > c.config_.stalled_timeout) {
      c.metrics_.output_drain_timed_out();
      log_warning_seldom("client takes nothing and is closed",
                         {{"uid", std::to_string(c.peer_.uid)},
                          {"pending_bytes", std::to_string(c.channel_->queued_bytes())},
                          {"deepest_bytes", std::to_string(c.backlog_.deepest_bytes())},
                          {"sent_bytes", std::to_string(c.channel_->sent_bytes())}});
      return c.ended();
    }
    c.watch();
  });
}

void ClientConnection::ended() {
  closing_ = true;
  watch_timer_.cancel();
  throttle_timer_.cancel();
  count_sent_output();
  channel_->close();
  // Posted: the caller may be deep in a run of this very client.
  if (gone_) loop_.post([gone = std::exchange(gone_, nullptr), key = key_] { gone(key); });
}

void ClientConnection::close() { ended(); }

}  // namespace capsule

// One client: hello first, then requests. Sheds what it may not do, limits its rate, and gives it the frames of its
// runs. Owned by the Intake; lives on the loop's thread.
//
// Limits, each with its knob in [client]: a hello within hello_timeout_s; a frame that began arrives within
// partial_frame_timeout_s; frames and bytes a second by token bucket (reading pauses, nothing is lost); unsent output
// of send_buffer_bytes (its runs' pipes are not read meanwhile; at twice as much its requests are refused); a client
// that takes nothing for stalled_timeout_s is closed. Besides, the requests of one user but those about runs get a
// share of the loop's time (kRequestTime): a look into a large workspace costs more than a thousand pings, and comes as
// quickly.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "manager/config.h"
#include "manager/intake/peer.h"
#include "manager/intake/request_watch.h"
#include "manager/intake/token_bucket.h"
#include "manager/link/frame_channel.h"
#include "manager/output/output_budget.h"
#include "manager/schedule/run.h"
#include "manager/storage/checkpoint_service.h"

namespace capsule {

class FileService;
class RunRecords;

// A file that went in or out at a client's wish, for the audit log: words of ours, and which object.
struct Transfer {
  std::string_view action, object_kind;
  std::string object;
};

// What a client can ask of the manager. One implementation: Manager.
class ClientService {
 public:
  virtual ~ClientService() = default;
  virtual Hello hello() const = 0;
  virtual Result<Accepted> submit(Execute request, ClientKey client, uid_t uid, std::weak_ptr<RunClient> listener) = 0;
  virtual Status cancel(const std::string& run_id, uid_t uid) = 0;
  virtual Status input(const Input& input, ClientKey client) = 0;
  virtual void can_take_more(ClientKey client) = 0;
  // Answers with a JSON document.
  using Answer = std::function<void(Result<std::string>)>;
  virtual void session(const SessionRequest& request, uid_t uid, Answer answer) = 0;
  virtual void trace(const std::string& run_id, uid_t uid, Answer answer) = 0;
  virtual FileService& files() = 0;
  virtual CheckpointService& checkpoints() = 0;
  virtual RunRecords& records() = 0;
  virtual Result<std::string> info(const InfoRequest& request, uid_t uid) = 0;
  virtual void stack(const std::string& run_id, uid_t uid, Answer answer) = 0;
  virtual void inspect(const std::string& session, uid_t uid, Answer answer) = 0;
  virtual Status tap(const Tap& request, FrameTap::Listener listener, uid_t uid) = 0;
  virtual void transferred(const Transfer& transfer, uid_t uid, const Status& done) = 0;
};

class ClientConnection : public RunClient, public std::enable_shared_from_this<ClientConnection> {
 public:
  using Gone = std::function<void(ClientKey)>;
  static constexpr microseconds kRequestTime{250'000};      // of the loop in a second, for the requests of one user
  static constexpr microseconds kRequestTimeBurst{50'000};  // at once

  ClientConnection(Loop& loop, UniqueFd socket, ClientKey key, Peer peer, const ClientConfig& config,
                   ClientService& service, Metrics& metrics, std::shared_ptr<TokenBucket> user_time, Gone gone);
  void begin();

  void send(const Message& message) override;
  void send_soon(const Message& message) override;
  void send_output(const Output& meta, std::string_view data) override;
  bool may_read_output() override;
  size_t queued_bytes() const override { return channel_->queued_bytes(); }

  ClientKey key() const { return key_; }
  uid_t uid() const { return peer_.uid; }
  void close();

 private:
  void handle(Message message, size_t payload_bytes);
  void take_hello(const Message& message);
  void greet(const Hello& hello);
  void serve(Message message);
  bool serve_files(Message& message);                  // false: the message is about something else
  bool serve_checkpoints(const Message& message);      // the same
  bool serve_records(const Message& message);          // the same
  bool serve_looks(const Message& message);            // the same
  bool shed_unread(const Message& message);            // true: it has to read first
  ClientService::Answer document_for(uint64_t id);     // answers with it
  void answer(uint64_t id, Result<std::string> json);  // the document, or the refusal
  void transferred(const Transfer& transfer, const Status& done);
  void refuse(uint64_t re, const Error& error);
  void count_answer(const Message& message);
  void count_sent_output();
  void fail(const Error& error);  // the connection itself is at fault: say so and close
  bool is_metered(const Message& message) const;
  void pause_for(Duration wait);
  void progress();
  void watch();
  void ended();

  Loop& loop_;
  ClientKey key_;
  Peer peer_;
  ClientConfig config_;
  ClientService& service_;
  Metrics& metrics_;
  Gone gone_;
  std::shared_ptr<FrameChannel> channel_;
  TokenBucket frames_, bytes_;
  std::shared_ptr<TokenBucket> user_time_;  // microseconds; of all connections of its user
  OutputBacklog backlog_;
  RequestWatch requests_;
  Timer throttle_timer_, watch_timer_;
  TimePoint begun_at_;
  TimePoint frame_since_ = TimePoint::max();    // a frame is under way since then
  TimePoint stalled_since_ = TimePoint::max();  // nothing was taken since then
  size_t unread_refusals_ = 0;                  // since it took something
  FrameChannel::Bodies counted_;                // of its output, as sent
  bool greeted_ = false;
  bool closing_ = false;
};

}  // namespace capsule

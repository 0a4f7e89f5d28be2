// What of the manager's doings goes into the audit log and the log of decisions, and in which words. Decides nothing.
// Owned by the manager; lives on the loop's thread.
#pragma once

#include <string>
#include <string_view>

#include "manager/intake/client_connection.h"
#include "manager/observe/audit_log.h"
#include "manager/observe/metrics.h"
#include "manager/schedule/run.h"
#include "manager/storage/aborted_run.h"
#include "protocol/message.h"

namespace capsule {

class AuditTrail {
 public:
  explicit AuditTrail(Metrics& metrics) : metrics_(metrics) {}

  // Error: there is no log; the manager goes on without.
  Status open(const AuditOptions& options);
  const AuditLog& log() const { return log_; }

  void manager(std::string_view action, std::string_view outcome = "ok");
  // `session` is one that exists, or empty; `request_id` may be any text.
  struct Submitted {
    uid_t uid = 0;
    std::string session, request_id;
  };
  // `refusal` is a word of labels.h, for a run that was not accepted.
  void submitted(const Result<Accepted>& answer, const Submitted& request, std::string_view refusal);
  void ruled(const Run& run, label::Ruling ruling, std::string_view reason);
  void finished(const Run& run);
  // A run that an earlier manager left without an end.
  void aborted(const AbortedRun& run);
  // Of a request that brings no id: one was made for it.
  struct Asker {
    uid_t uid = 0;
    std::string request_id;
  };
  void cancelled(const std::string& run_id, const Asker& asker, const Status& done);
  // Of a request about sessions and what they keep. `session` is one that exists, or empty.
  struct Asked {
    std::string operation, session, checkpoint;
    uid_t uid = 0;
    std::string request_id;
  };
  // Requests that only look are not recorded.
  void session(const Asked& asked, const Result<std::string>& answer);
  // The object of `transfer` is one that exists, or empty.
  void transferred(const Transfer& transfer, const Asker& asker, const Status& done);
  void http(const HttpExchange& exchange);
  // Heads go into the manager's log, whatever its level: from here on nothing is written.
  void close();

  void refresh_gauges();

 private:
  bool is_wanted(label::AuditLogKind kind) const;

  Metrics& metrics_;
  AuditLog log_;
  AuditOptions options_;
};

}  // namespace capsule

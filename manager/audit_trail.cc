#include "manager/audit_trail.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "manager/observe/log.h"

namespace capsule {
namespace {

using label::AuditLogKind;

struct SessionAction {
  std::string_view operation, action;
};
constexpr std::array kSessionActions{SessionAction{"new", "session.new"},
                                     SessionAction{"rm", "session.rm"},
                                     SessionAction{"reset", "session.reset"},
                                     SessionAction{"undo", "session.undo"},
                                     SessionAction{"fork", "session.fork"},
                                     SessionAction{"adopt", "session.adopt"},
                                     SessionAction{"checkpoint", "session.checkpoint"},
                                     SessionAction{"restore", "session.restore"},
                                     SessionAction{"checkpoint_rm", "checkpoint.rm"}};

std::string_view outcome_of(const Status& done) { return done ? "ok" : to_string(done.error().code); }

Status status_of(const Result<std::string>& answer) {
  return answer ? Status() : Status(tl::unexpected<Error>(answer.error()));
}

// The session that was made has its name in the answer.
std::string made_session(const std::string& document) {
  const auto json = nlohmann::json::parse(document, nullptr, false);
  return json.is_object() ? json.value("session", std::string()) : std::string();
}

}  // namespace

Status AuditTrail::open(const AuditOptions& options) {
  options_ = options;
  return log_.open(options);
}

bool AuditTrail::is_wanted(AuditLogKind kind) const {
  return (kind == AuditLogKind::kAudit ? options_.file_bytes : options_.decision_file_bytes) > 0;
}

void AuditTrail::manager(std::string_view action, std::string_view outcome) {
  log_.record(AuditLogKind::kAudit, {.action = action, .outcome = outcome});
}

void AuditTrail::submitted(const Result<Accepted>& answer, const Submitted& request, std::string_view refusal) {
  const label::Ruling ruling = answer ? label::Ruling::kAllowed : label::Ruling::kRefused;
  metrics_.ruled(ruling);
  AuditRecord record{.action = "run.submit", .outcome = to_string(ruling), .uid = request.uid, .reason = refusal};
  if (is_printable_id(request.request_id)) record.request_id = request.request_id;
  if (!request.session.empty()) record.object_kind = "session", record.object = request.session;
  if (answer) record.object_kind = "run", record.object = answer->run_id, record.reason = {};
  log_.record(AuditLogKind::kAudit, record);
  record.action = "run";
  log_.record(AuditLogKind::kDecisions, std::move(record));
}

void AuditTrail::ruled(const Run& run, label::Ruling ruling, std::string_view reason) {
  metrics_.ruled(ruling);
  log_.record(AuditLogKind::kDecisions, {.action = "run",
                                         .object_kind = "run",
                                         .object = run.id,
                                         .outcome = to_string(ruling),
                                         .uid = run.uid,
                                         .request_id = run.request_id,
                                         .reason = reason,
                                         .profile = run.profile});
}

void AuditTrail::finished(const Run& run) {
  if (run.outcome.verdict == Verdict::kViolation) metrics_.policy_violated(label::Policy::kSandbox);
  log_.record(AuditLogKind::kAudit, {.action = "run.finish",
                                     .object_kind = "run",
                                     .object = run.id,
                                     .outcome = to_string(run.outcome.verdict),
                                     .uid = run.uid,
                                     .request_id = run.request_id,
                                     .profile = run.profile});
}

void AuditTrail::aborted(const AbortedRun& run) {
  log_.record(AuditLogKind::kAudit, {.action = "run.finish",
                                     .object_kind = "run",
                                     .object = run.run_id,
                                     .outcome = to_string(Verdict::kAborted),
                                     .uid = run.uid,
                                     .request_id = run.request_id,
                                     .profile = run.profile});
}

void AuditTrail::cancelled(const std::string& run_id, const Asker& asker, const Status& done) {
  // What is no run's id can be anything.
  AuditRecord record{
      .action = "run.cancel", .outcome = outcome_of(done), .uid = asker.uid, .request_id = asker.request_id};
  if (done) record.object_kind = "run", record.object = run_id;
  log_.record(AuditLogKind::kAudit, std::move(record));
}

void AuditTrail::session(const Asked& asked, const Result<std::string>& answer) {
  const auto found = std::find_if(kSessionActions.begin(), kSessionActions.end(),
                                  [&](const SessionAction& each) { return each.operation == asked.operation; });
  if (found == kSessionActions.end()) return;
  AuditRecord record{.action = found->action,
                     .outcome = outcome_of(status_of(answer)),
                     .uid = asked.uid,
                     .request_id = asked.request_id};
  if (!asked.session.empty()) record.object_kind = "session", record.object = asked.session;
  if (answer) {
    const std::string made = made_session(*answer);
    record.object_kind = made.empty() ? "checkpoint" : "session";
    record.object = made.empty() ? asked.checkpoint : made;
  }
  log_.record(AuditLogKind::kAudit, std::move(record));
}

void AuditTrail::transferred(const Transfer& transfer, const Asker& asker, const Status& done) {
  AuditRecord record{
      .action = transfer.action, .outcome = outcome_of(done), .uid = asker.uid, .request_id = asker.request_id};
  if (!transfer.object.empty()) record.object_kind = transfer.object_kind, record.object = transfer.object;
  log_.record(AuditLogKind::kAudit, std::move(record));
}

void AuditTrail::http(const HttpExchange& exchange) {
  if (exchange.status == 421) metrics_.policy_violated(label::Policy::kHost);
  if (!exchange.key) return;
  using Outcome = KeyRuling::Outcome;
  const Outcome outcome = exchange.key->outcome;
  const label::Policy policy = outcome == Outcome::kTooMany ? label::Policy::kKeyRate : label::Policy::kApiKey;
  const bool is_allowed = outcome == Outcome::kAllowed;
  if (!is_allowed) metrics_.policy_violated(policy);
  log_.record(AuditLogKind::kAudit, {.action = "http.get",
                                     .object_kind = "route",
                                     .object = std::string(to_string(exchange.route)),
                                     .outcome = is_allowed ? "allowed" : "refused",
                                     .key = exchange.key->name,
                                     .request_id = exchange.request_id,
                                     .reason = is_allowed ? "" : to_string(policy)});
}

void AuditTrail::close() {
  log_.close();
  for (const AuditLogKind kind : label::kAllAuditLogKinds) {
    if (!log_.is_kept(kind)) continue;
    log_info("audit log closed", {{"log", std::string(to_string(kind))}, {"head", to_string(log_.totals(kind).head)}});
  }
}

void AuditTrail::refresh_gauges() {
  bool is_degraded = false;
  for (const AuditLogKind kind : label::kAllAuditLogKinds) {
    const AuditLog::Totals totals = log_.totals(kind);
    metrics_.set_audit(kind, {totals.written, totals.bytes, totals.lost, totals.damages});
    is_degraded = is_degraded || (is_wanted(kind) && (!log_.is_kept(kind) || totals.is_failing));
  }
  metrics_.set_evidence(label::Evidence::kAudit, {is_degraded});
  metrics_.set_audit_queue(log_.queued());
}

}  // namespace capsule

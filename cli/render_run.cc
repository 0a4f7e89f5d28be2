#include "cli/render_run.h"

#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/utf8.h"

namespace capsule::cli {
namespace {

std::string seconds_text(uint64_t us) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(us) / 1e6);
  return text.data();
}

// What happened, in words; empty when the end was the program's own.
std::string headline(const Finished& finished) {
  const std::string after = " after " + seconds_text(finished.usage.wall_us);
  switch (finished.verdict) {
    case Verdict::kOk:
    case Verdict::kException:
    case Verdict::kExit: return {};
    case Verdict::kCancelled: return "cancelled" + after;
    case Verdict::kTimeout: return "timeout" + after;
    case Verdict::kCpuLimit: return "CPU limit reached" + after;
    case Verdict::kOutOfMemory: return "out of memory" + after;
    case Verdict::kOutputLimit: return "output limit reached" + after;
    case Verdict::kCrashed: return "crashed by " + signal_name(finished.evidence.signal) + after;
    case Verdict::kViolation: return "stopped by the sandbox" + after;
    case Verdict::kWorkerLost: return "the worker was lost" + after;
    case Verdict::kRejected: return "rejected; nothing was run";
    case Verdict::kAborted: return "aborted: the manager shut down";
    case Verdict::kInternalError: return "internal error of Capsule";
  }
  return {};
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

// "(interrupt; limit wall_ms=2000)"
std::string circumstances(const Finished& finished) {
  std::vector<std::string> parts;
  if (!finished.evidence.rung.empty()) parts.push_back(finished.evidence.rung);
  if (!finished.evidence.limit.empty()) parts.push_back("limit " + finished.evidence.limit);
  if (finished.verdict == Verdict::kOutOfMemory && finished.usage.peak_memory_bytes > 0) {
    parts.push_back("peak " + format_bytes(finished.usage.peak_memory_bytes));
  }
  return parts.empty() ? std::string() : " (" + joined(parts, "; ") + ")";
}

// "the session went back to snapshot-3 in 0.8 ms; 2 earlier runs are undone as well"
std::string rollback_text(const Evidence& evidence) {
  if (!evidence.rollback) return "the session went back to an earlier state";
  const Rollback& rollback = *evidence.rollback;
  std::array<char, 32> took{};
  std::snprintf(took.data(), took.size(), "%.1f ms", static_cast<double>(rollback.took_us) / 1e3);
  std::string text = "the session went back to " + rollback.snapshot + " in " + took.data();
  if (const size_t lost = rollback.lost_runs.size(); lost > 0) {
    text += "; " + std::to_string(lost) + (lost == 1 ? " earlier run is" : " earlier runs are") + " undone as well";
  }
  if (!rollback.not_captured.empty()) text += "; without " + joined(rollback.not_captured, ", ");
  return text;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kExtensions{{
    {"image/png", ".png"},
    {"image/jpeg", ".jpg"},
    {"image/gif", ".gif"},
    {"image/webp", ".webp"},
    {"image/svg+xml", ".svg"},
    {"text/html", ".html"},
    {"text/markdown", ".md"},
    {"text/latex", ".tex"},
    {"text/plain", ".txt"},
    {"application/json", ".json"},
    {"application/pdf", ".pdf"},
    {"application/javascript", ".js"},
}};

}  // namespace

std::string traceback_text(const Finished& finished) {
  if (!finished.error) return {};
  const RaisedError& error = *finished.error;
  std::string out;
  for (const std::string& line : error.traceback) {
    out += line;
    if (!line.ends_with('\n')) out += '\n';
  }
  if (out.empty()) out = error.name + (error.value.empty() ? "" : ": " + error.value) + "\n";
  return out;
}

std::vector<std::string> ending_notes(const Finished& finished) {
  std::vector<std::string> notes;
  const Evidence& evidence = finished.evidence;
  if (std::string text = headline(finished); !text.empty()) {
    text += circumstances(finished);
    if (!evidence.detail.empty()) text += ": " + evidence.detail;
    if (evidence.retry) text += " (trying again may help)";
    notes.push_back(std::move(text));
  }
  if (!evidence.stack.value.empty()) notes.push_back("it was here:\n" + replace_invalid_utf8(evidence.stack.value));
  if (evidence.output.dropped_bytes > 0) {
    std::string text = std::to_string(evidence.output.dropped_bytes) + " bytes of output were dropped";
    if (finished.verdict == Verdict::kOk && !evidence.limit.empty()) text += " (limit " + evidence.limit + ")";
    notes.push_back(std::move(text));
  }
  if (evidence.session_state == "rolled_back") notes.push_back(rollback_text(evidence));
  if (evidence.session_state == "fresh") notes.push_back("the session's state was lost; it starts fresh");
  if (evidence.session_state == "gone") notes.push_back("the session is gone");
  return notes;
}

std::string signal_name(int number) {
  const char* abbreviation = sigabbrev_np(number);
  return abbreviation == nullptr ? "signal " + std::to_string(number) : std::string("SIG") + abbreviation;
}

std::string extension_for(std::string_view mime) {
  for (const auto& [type, extension] : kExtensions) {
    if (type == mime) return std::string(extension);
  }
  return ".bin";
}

}  // namespace capsule::cli

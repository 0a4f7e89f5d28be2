#include "manager/observe/trace_context.h"

#include <sys/random.h>

#include <algorithm>
#include <cassert>

#include "protocol/limits.h"

namespace capsule {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr size_t kVersionAt = 0, kTraceAt = 3, kSpanAt = 36, kFlagsAt = 53, kLength = 55;
constexpr size_t kTraceDigits = 32, kSpanDigits = 16;
constexpr uint8_t kKnownFlags = 3;  // sampled, and "random" of level 2

bool is_hex(std::string_view text) { return text.find_first_not_of(kDigits) == text.npos; }
bool is_zero(std::string_view text) { return text.find_first_not_of('0') == text.npos; }

uint8_t byte_of(std::string_view two) { return static_cast<uint8_t>(kDigits.find(two[0]) << 4 | kDigits.find(two[1])); }

}  // namespace

std::string traceparent_of(const TraceContext& context) {
  return "00-" + context.trace_id + "-" + context.span_id + "-" + kDigits[context.flags >> 4 & 15] +
         kDigits[context.flags & 15];
}

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kLength) return std::nullopt;
  const std::string_view version = text.substr(kVersionAt, 2), trace = text.substr(kTraceAt, kTraceDigits),
                         span = text.substr(kSpanAt, kSpanDigits), flags = text.substr(kFlagsAt, 2);
  if (text[kTraceAt - 1] != '-' || text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-') return std::nullopt;
  if (!is_hex(version) || !is_hex(trace) || !is_hex(span) || !is_hex(flags)) return std::nullopt;
  if (version == "ff" || is_zero(trace) || is_zero(span)) return std::nullopt;
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) return std::nullopt;
  TraceContext context;
  context.trace_id = trace;
  context.parent_id = span;
  context.flags = byte_of(flags) & kKnownFlags;
  return context;
}

bool is_printable_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::kRequestIdBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

TraceContext TraceIds::begin(std::string_view traceparent) {
  TraceContext context = parse_traceparent(traceparent).value_or(TraceContext{});
  if (context.trace_id.empty()) context.trace_id = hex(kTraceBytes);
  context.span_id = span_id();
  return context;
}

std::string TraceIds::hex(size_t bytes) {
  assert(pool_.size() % bytes == 0);
  if (used_ + bytes > pool_.size()) {
    if (getrandom(pool_.data(), pool_.size(), 0) != static_cast<ssize_t>(pool_.size())) pool_.fill(1);
    used_ = 0;
  }
  std::string text;
  for (const size_t end = used_ + bytes; used_ < end; ++used_) {
    text += kDigits[pool_[used_] >> 4];
    text += kDigits[pool_[used_] & 15];
  }
  return is_zero(text) ? hex(bytes) : text;
}

}  // namespace capsule

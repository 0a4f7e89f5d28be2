#include "protocol/audit_chain.h"

#include <charconv>

namespace capsule {
namespace {

struct Prefix {
  uint64_t sequence = 0;
  Digest previous{};
  std::string_view action;
};

bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

// Decimal digits without leading zeros: there is one way to write a number.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || text.front() == '0') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::optional<Prefix> parse_prefix(std::string_view line) {
  if (!take(line, "{\"seq\":")) return std::nullopt;
  const auto sequence = take_number(line);
  if (!sequence || !take(line, ",\"prev\":\"")) return std::nullopt;
  const auto previous = digest_from_hex(line.substr(0, 2 * kDigestBytes));
  if (!previous) return std::nullopt;
  line.remove_prefix(2 * kDigestBytes);
  if (!take(line, "\",\"action\":\"")) return std::nullopt;
  const size_t end = line.find('"');
  if (end == std::string_view::npos || line.back() != '}') return std::nullopt;
  return Prefix{*sequence, *previous, line.substr(0, end)};
}

// Of the first line of a file: why it is there comes last.
bool says_damage(std::string_view line) {
  const std::string end = "\"why\":\"" + std::string(kAuditAfterDamage) + "\"}";
  return line.ends_with(end);
}

}  // namespace

std::string to_string(const AuditHead& head) { return std::to_string(head.sequence) + ":" + hex_text(head.digest); }

Result<AuditHead> audit_head_from_string(std::string_view text) {
  const auto wrong = [] {
    return failure(Errc::kInvalid, "an audit head is a number, a colon and 64 hexadecimal digits");
  };
  const std::string_view all = text;
  if (text.empty()) return wrong();
  const auto sequence = all.starts_with("0:") ? (text.remove_prefix(1), std::optional<uint64_t>(0)) : take_number(text);
  if (!sequence || !take(text, ":")) return wrong();
  const auto digest = digest_from_hex(text);
  if (!digest) return wrong();
  return AuditHead{*sequence, *digest};
}

std::string make_audit_line(AuditHead& head, std::string_view action, std::string_view fields) {
  std::string line =
      "{\"seq\":" + std::to_string(++head.sequence) + ",\"prev\":\"" + hex_text(head.digest) + "\",\"action\":\"";
  line.append(action).append("\"");
  if (!fields.empty()) line.append(",").append(fields);
  line += '}';
  head.digest = sha256(line);
  return line;
}

Status AuditCheck::line(std::string_view line) {
  const auto wrong = [&](const std::string& what) {
    const uint64_t number = lines_before_ + lines_ + 1;
    return failure(Errc::kInvalid, "line " + std::to_string(number) + " of the log " + what);
  };
  const auto prefix = parse_prefix(line);
  if (!prefix) return wrong("is not a line of an audit log");
  if (at_file_begin_ != (prefix->action == kAuditFileBegin)) {
    return wrong(at_file_begin_ ? "is missing: its file does not begin with " + std::string(kAuditFileBegin)
                                : "begins a file, but is not the first of one");
  }
  if (at_file_begin_ && damage_said_ == 0 && says_damage(line)) damage_said_ = prefix->sequence;
  at_file_begin_ = false;
  if (lines_ == 0) {
    lines_before_ = prefix->sequence - 1;
    head_ = {prefix->sequence - 1, prefix->previous};
    if (prefix->sequence == 1 && prefix->previous != Digest{}) return wrong("has a line before it, which is missing");
    if (first_ != 0 && prefix->sequence > first_) {
      return failure(Errc::kInvalid, "lines " + std::to_string(first_) + " to " + std::to_string(lines_before_) +
                                         " of the log are missing: its first files are not here");
    }
    if (const Status fits = check_expected(); !fits) return fits;
  }
  if (prefix->sequence != head_.sequence + 1) {
    return wrong("has the sequence number " + std::to_string(prefix->sequence) + ": lines were removed or moved");
  }
  if (prefix->previous != head_.digest) return wrong("does not fit the line before it: that one was changed");
  head_ = {prefix->sequence, sha256(line)};
  ++lines_;
  return check_expected();
}

Status AuditCheck::check_expected() const {
  if (!expected_ || expected_->sequence != head_.sequence || *expected_ == head_) return {};
  return failure(Errc::kInvalid, "line " + std::to_string(head_.sequence) + " of the log is not the one of the head");
}

Status AuditCheck::end() const {
  if (at_file_begin_) {
    return failure(Errc::kInvalid,
                   "line " + std::to_string(head_.sequence + 1) + " of the log is missing: a file is empty");
  }
  if (first_ != 0 && lines_ == 0) return failure(Errc::kInvalid, "there is no line of the log");
  if (expected_ && expected_->sequence > head_.sequence) {
    return failure(Errc::kInvalid, "the log ends at line " + std::to_string(head_.sequence) + ", its head is line " +
                                       std::to_string(expected_->sequence) + ": the rest was cut off");
  }
  if (expected_ && lines_ > 0 && expected_->sequence < lines_before_) {
    return failure(Errc::kInvalid, "line " + std::to_string(expected_->sequence) +
                                       ", to which the head belongs, is in an earlier file");
  }
  return {};
}

}  // namespace capsule

#include "manager/observe/trace_lines.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace capsule {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::optional<int64_t> time_of(const std::vector<TraceLine>& lines, TraceEvent event) {
  const auto found =
      std::find_if(lines.begin(), lines.end(), [&](const TraceLine& line) { return line.event == to_string(event); });
  return found == lines.end() ? std::nullopt : std::optional(found->at_us);
}

std::string utc_text(int64_t wall_us) {
  std::string text = format_utc(wall_us / 1000);  // ends in ".123Z"
  const std::string micros = std::to_string(1000 + wall_us % 1000).substr(1);
  return text.insert(text.size() - 1, micros);
}

}  // namespace

std::vector<TraceLine> trace_lines(const std::vector<TraceMark>& marks) {
  std::vector<TraceLine> lines;
  for (const TraceMark& mark : marks) {
    lines.push_back(
        {std::string(to_string(mark.event)), to_microseconds(mark.at - marks.front().at), std::string(mark.word)});
  }
  return lines;
}

std::string trace_text(const std::vector<TraceLine>& lines) {
  std::string text;
  for (const TraceLine& line : lines) {
    text += (text.empty() ? "" : " ") + line.event + "=" + std::to_string(line.at_us);
    if (!line.detail.empty()) text += ":" + line.detail;
  }
  return text;
}

std::vector<TraceLine> read_trace_text(std::string_view text) {
  std::vector<TraceLine> lines;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const size_t middle = word.find('=');
    if (middle == word.npos || middle == 0) continue;
    const size_t colon = word.find(':', middle);
    const std::string_view number = word.substr(middle + 1, colon == word.npos ? colon : colon - middle - 1);
    TraceLine line{std::string(word.substr(0, middle)), 0, {}};
    const auto read = std::from_chars(number.data(), number.data() + number.size(), line.at_us);
    if (read.ec != std::errc() || read.ptr != number.data() + number.size()) continue;
    if (colon != word.npos) line.detail = word.substr(colon + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

int64_t trace_end_us(const std::vector<TraceLine>& lines) {
  return time_of(lines, TraceEvent::kFinished).value_or(lines.empty() ? 0 : lines.back().at_us);
}

std::vector<TraceSpan> trace_spans(const std::vector<TraceLine>& lines) {
  constexpr struct {
    std::string_view name;
    TraceEvent begin;
  } kSpans[] = {{"queue", TraceEvent::kQueued},
                {"lease", TraceEvent::kDequeued},
                {"execute", TraceEvent::kStarted},
                {"drain", TraceEvent::kOutputFlushed}};
  std::vector<TraceSpan> spans;
  for (const auto& span : kSpans) {
    const auto begin = time_of(lines, span.begin);
    if (!begin) continue;
    if (!spans.empty()) spans.back().end_us = *begin;
    spans.push_back({span.name, *begin, std::max(*begin, trace_end_us(lines))});
  }
  return spans;
}

std::string trace_jsonl(const TraceFacts& facts, const std::vector<TraceLine>& lines) {
  std::string text;
  for (const TraceLine& line : lines) {
    Json object = {{"event", line.event},
                   {"at_us", line.at_us},
                   {"wall_us", facts.began_wall_us + line.at_us},
                   {"run_id", facts.run_id},
                   {"trace_id", facts.trace_id}};
    if (!line.detail.empty()) object["detail"] = line.detail;
    text += dump(object) + "\n";
  }
  return text;
}

TraceFile read_trace_jsonl(std::string_view text) {
  TraceFile file;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const Json object = Json::parse(one, nullptr, false);
    if (!object.is_object() || !object.contains("event") || !object["event"].is_string()) continue;
    if (!object.contains("at_us") || !object["at_us"].is_number_integer()) continue;
    TraceLine line{object["event"], object["at_us"], {}};
    if (const auto detail = object.find("detail"); detail != object.end() && detail->is_string()) line.detail = *detail;
    const auto wall = object.find("wall_us");
    if (file.lines.empty() && wall != object.end() && wall->is_number_integer()) {
      file.began_wall_us = wall->get<int64_t>() - line.at_us;
    }
    file.lines.push_back(std::move(line));
  }
  return file;
}

std::string trace_document(const TraceFacts& facts, const std::vector<TraceLine>& lines) {
  const bool is_end_known = facts.verdict.empty() || time_of(lines, TraceEvent::kFinished).has_value();
  Json document = {{"v", 1},
                   {"run_id", facts.run_id},
                   {"session", or_null(facts.session)},
                   {"verdict", or_null(facts.verdict)},
                   {"request_id", or_null(facts.request_id)},
                   {"trace_id", or_null(facts.trace_id)},
                   {"span_id", or_null(facts.span_id)},
                   {"parent_span_id", or_null(facts.parent_id)},
                   {"began_at", facts.began_wall_us == 0 ? Json(nullptr) : Json(utc_text(facts.began_wall_us))},
                   {"total_us", is_end_known ? Json(trace_end_us(lines)) : Json(nullptr)}};
  Json spans = Json::array(), events = Json::array();
  for (const TraceSpan& span : trace_spans(lines)) {
    spans.push_back({{"name", span.name}, {"begin_us", span.begin_us}, {"end_us", span.end_us}});
  }
  for (const TraceLine& line : lines) {
    events.push_back({{"event", line.event}, {"at_us", line.at_us}, {"detail", or_null(line.detail)}});
  }
  document["spans"] = std::move(spans);
  document["events"] = std::move(events);
  if (facts.overwritten > 0) document["overwritten"] = facts.overwritten;
  return dump(document);
}

}  // namespace capsule

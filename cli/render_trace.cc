#include "cli/render_trace.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/utf8.h"
#include "cli/document_fields.h"

namespace capsule::cli {
namespace {

constexpr size_t kNameColumns = 28, kTimeColumns = 10, kGap = 2;  // longer names are cut
constexpr size_t kHeadColumns = kNameColumns + 2 * (kGap + kTimeColumns) + kGap;
static_assert(kTraceColumns > kHeadColumns);

struct Row {
  int64_t begin_us = 0, end_us = 0;  // the same: an event
  std::string name;
};

int64_t number_of(const Json& object, std::string_view name) {
  const Json& value = field(object, name);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

std::string time_text(int64_t us) {
  char text[40];
  const double magnitude = static_cast<double>(us);
  if (us < 1000) std::snprintf(text, sizeof text, "%lld us", static_cast<long long>(us));
  if (us >= 1000) std::snprintf(text, sizeof text, "%.2f ms", magnitude / 1e3);
  if (us >= 1'000'000) std::snprintf(text, sizeof text, "%.3f s", magnitude / 1e6);
  return text;
}

std::string left(std::string text, size_t columns) {
  text.resize(columns, ' ');
  return text;
}
std::string right(const std::string& text, size_t columns) {
  return std::string(columns - std::min(columns, text.size()), ' ') + text;
}

// Each event below the span that it happened in.
std::vector<Row> rows_of(const Json& document) {
  std::vector<Row> rows{{0, number_of(document, "total_us"), "run"}};  // without an end: a beginning
  for (const Json& span : list(document, "spans")) {
    rows.push_back({number_of(span, "begin_us"), number_of(span, "end_us"), "  " + text_field(span, "name")});
  }
  for (const Json& event : list(document, "events")) {
    const int64_t at = number_of(event, "at_us");
    std::string name = "    " + text_field(event, "event");
    if (const Json& detail = field(event, "detail"); detail.is_string()) name += " " + detail.get<std::string>();
    const auto after = std::find_if(rows.rbegin(), rows.rend(), [at](const Row& row) { return row.begin_us <= at; });
    rows.insert(after.base(), {at, at, escape_control(name)});
  }
  return rows;
}

// What the bars are drawn to: the run, or as far as it is known.
int64_t end_of(const Json& document, const std::vector<Row>& rows) {
  if (field(document, "total_us").is_number_integer()) return number_of(document, "total_us");
  int64_t end_us = 0;
  for (const Row& row : rows) end_us = std::max(end_us, row.end_us);
  return end_us;
}

std::string verdict_text(const Json& document) {
  const bool is_over = field(document, "verdict").is_string();
  const std::string verdict = is_over ? text_field(document, "verdict") : "none yet";
  if (is_over && field(document, "total_us").is_null()) return verdict + ", nobody knows when: its manager was killed";
  return verdict + " after " + time_text(number_of(document, "total_us"));
}

// A span covers at least one column, an event exactly one; what came after the end is shown at the end.
std::string bar(const Row& row, int64_t total_us, size_t columns, Colour colour) {
  const auto column_of = [&](int64_t us) {
    if (total_us <= 0) return size_t{0};
    return static_cast<size_t>(std::clamp<int64_t>(us, 0, total_us) * static_cast<int64_t>(columns - 1) / total_us);
  };
  const bool is_event = row.begin_us == row.end_us;
  const size_t begin = column_of(row.begin_us), end = column_of(row.end_us);
  const std::string body = is_event ? "|" : std::string(end - begin + 1, '#');
  if (colour == Colour::kOff) return std::string(begin, ' ') + body;
  return std::string(begin, ' ') + (is_event ? "\033[33m" : "\033[36m") + body + "\033[0m";
}

}  // namespace

Colour colour_for(bool is_terminal, const char* no_color, const char* term) {
  const bool is_refused = no_color != nullptr && *no_color != '\0';
  const bool is_dumb = term == nullptr || std::string_view(term) == "dumb";
  return is_terminal && !is_refused && !is_dumb ? Colour::kOn : Colour::kOff;
}

Result<std::string> render_trace(std::string_view json, const TraceLook& look) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  const size_t columns = std::max(look.columns, kTraceColumns) - kHeadColumns;
  const std::vector<Row> rows = rows_of(*document);
  const int64_t total_us = end_of(*document, rows);
  std::string out = "run      " + text_field(*document, "run_id") + "\n";
  out += "verdict  " + verdict_text(*document) + "\n";
  if (field(*document, "session").is_string()) out += "session  " + text_field(*document, "session") + "\n";
  out += "request  " + text_field(*document, "request_id") + "\n";
  out += "trace    " + text_field(*document, "trace_id") + "\n\n";
  out += left("", kNameColumns) + right("AT", kGap + kTimeColumns) + right("TOOK", kGap + kTimeColumns) + "\n";
  for (const Row& row : rows) {
    const bool is_event = row.begin_us == row.end_us;
    out += left(row.name, kNameColumns) + right(time_text(row.begin_us), kGap + kTimeColumns);
    out += right(is_event ? "" : time_text(row.end_us - row.begin_us), kGap + kTimeColumns) + std::string(kGap, ' ');
    out += bar(row, total_us, columns, look.colour) + "\n";
  }
  if (const uint64_t lost = count_field(*document, "overwritten"); lost > 0) {
    out += "\n" + std::to_string(lost) + " older events of this session are forgotten\n";
  }
  return out;
}

}  // namespace capsule::cli

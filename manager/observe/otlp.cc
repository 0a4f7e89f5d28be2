#include "manager/observe/otlp.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "manager/observe/trace_lines.h"

namespace capsule {
namespace {

enum class SpanKind { kInternal = 1, kServer = 2 };  // opentelemetry/proto/trace/v1/trace.proto
constexpr int kStatusError = 2;
constexpr unsigned kHasRemoteFlag = 0x100, kIsRemoteFlag = 0x200;  // SpanFlags, the same file

void add_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte < ' ') {
      (out += "\\u00") += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

// `"key":` and what separates it from what is before.
void add_key(std::string& out, std::string_view key) {
  if (out.back() != '{' && out.back() != '[') out += ',';
  add_quoted(out, key);
  out += ':';
}

void add_text(std::string& out, std::string_view key, std::string_view text) {
  add_key(out, key);
  add_quoted(out, text);
}

void add_nanos(std::string& out, std::string_view key, int64_t wall_us) {
  add_text(out, key, std::to_string(wall_us) + "000");
}

// A list of attributes: {"key": ..., "value": {...}}.
class Attributes {
 public:
  explicit Attributes(std::string& out) : out_(out) {
    add_key(out_, "attributes");
    out_ += '[';
  }
  Attributes& text(std::string_view key, std::string_view value) {
    if (value.empty()) return *this;
    begin(key);
    add_text(out_, "stringValue", value);
    return end();
  }
  Attributes& number(std::string_view key, int64_t value) {
    begin(key);
    add_text(out_, "intValue", std::to_string(value));
    return end();
  }
  Attributes& seconds(std::string_view key, uint64_t value_us) {
    std::array<char, 32> digits{};
    const double value_s = static_cast<double>(value_us) / 1e6;
    const auto done = std::to_chars(digits.data(), digits.data() + digits.size(), value_s);
    begin(key);
    add_key(out_, "doubleValue");
    out_.append(digits.data(), done.ptr);
    return end();
  }
  void close() { out_ += ']'; }

 private:
  void begin(std::string_view key) {
    if (out_.back() != '[') out_ += ',';
    out_ += '{';
    add_text(out_, "key", key);
    add_key(out_, "value");
    out_ += '{';
  }
  Attributes& end() {
    out_ += "}}";
    return *this;
  }
  std::string& out_;
};

struct SpanHead {
  std::string_view name, span_id, parent_id;
  SpanKind kind;
  int64_t begin_wall_us, end_wall_us;
  bool is_parent_remote;
};

void begin_span(std::string& out, const TraceContext& context, const SpanHead& head) {
  if (out.back() != '[') out += ',';
  out += '{';
  add_text(out, "traceId", context.trace_id);
  add_text(out, "spanId", head.span_id);
  if (!head.parent_id.empty()) add_text(out, "parentSpanId", head.parent_id);
  add_key(out, "flags");
  out += std::to_string(context.flags | kHasRemoteFlag | (head.is_parent_remote ? kIsRemoteFlag : 0));
  add_text(out, "name", head.name);
  add_key(out, "kind");
  out += std::to_string(static_cast<int>(head.kind));
  add_nanos(out, "startTimeUnixNano", head.begin_wall_us);
  add_nanos(out, "endTimeUnixNano", head.end_wall_us);
}

void add_events(std::string& out, const RunSpans& run, const std::vector<TraceLine>& lines) {
  add_key(out, "events");
  out += '[';
  for (const TraceLine& line : lines) {
    if (out.back() != '[') out += ',';
    out += '{';
    add_nanos(out, "timeUnixNano", run.began_wall_us + line.at_us);
    add_text(out, "name", line.event);
    if (!line.detail.empty()) Attributes(out).text("capsule.detail", line.detail).close();
    out += '}';
  }
  out += ']';
}

void add_run_span(std::string& out, const RunSpans& run, const std::vector<TraceLine>& lines) {
  const TraceContext& context = run.context;
  begin_span(out, context,
             {"run", context.span_id, context.parent_id, SpanKind::kServer, run.began_wall_us,
              run.began_wall_us + trace_end_us(lines), !context.parent_id.empty()});
  Attributes attributes(out);
  attributes.text("capsule.run.id", run.run_id).text("capsule.request.id", run.request_id);
  attributes.text("capsule.session.id", run.session).text("capsule.profile", run.profile);
  attributes.text("capsule.verdict", run.verdict).number("capsule.exit_status", run.exit_status);
  attributes.text("user.id", std::to_string(run.uid));
  attributes.seconds("capsule.cpu.user_s", run.cpu_user_us).seconds("capsule.cpu.system_s", run.cpu_system_us);
  attributes.number("capsule.memory.peak_bytes", static_cast<int64_t>(run.peak_memory_bytes));
  attributes.number("capsule.output.bytes", static_cast<int64_t>(run.output_bytes));
  if (run.is_failure) attributes.text("error.type", run.verdict);
  attributes.close();
  add_events(out, run, lines);
  if (run.is_failure) {  // unset when there was no error: general/recording-errors.md
    add_key(out, "status");
    out += "{\"code\":" + std::to_string(kStatusError) + "}";
  }
  out += '}';
}

void add_spans(std::string& out, const RunSpans& run, TraceIds& ids) {
  const std::vector<TraceLine> lines = trace_lines(run.marks);
  add_run_span(out, run, lines);
  for (const TraceSpan& span : trace_spans(lines)) {
    const std::string id = ids.span_id();
    begin_span(out, run.context,
               {span.name, id, run.context.span_id, SpanKind::kInternal, run.began_wall_us + span.begin_us,
                run.began_wall_us + span.end_us, false});
    if (span.name == "execute" && run.worker_pid != 0) Attributes(out).number("process.pid", run.worker_pid).close();
    out += '}';
  }
}

// Names and attributes: semantic-conventions, docs/http/http-spans.md. Its own failures only are errors of a server; a
// method that it does not know is HTTP in the name and _OTHER in the attribute.
void add_http_span(std::string& out, const HttpSpan& request) {
  const bool is_failure = request.status >= 500, is_known = request.method != label::HttpMethod::kOther;
  std::string name(is_known ? to_string(request.method) : "HTTP");
  if (!request.route.empty()) name.append(" ").append(request.route);
  begin_span(out, request.context,
             {name, request.context.span_id, request.context.parent_id, SpanKind::kServer, request.began_wall_us,
              request.began_wall_us + request.took_us, true});
  Attributes attributes(out);
  attributes.text("http.request.method", is_known ? to_string(request.method) : "_OTHER");
  attributes.text("http.route", request.route).text("url.path", request.path).text("url.scheme", "http");
  attributes.number("http.response.status_code", request.status).text("capsule.request.id", request.request_id);
  if (is_failure) attributes.text("error.type", std::to_string(request.status));
  attributes.close();
  if (is_failure) {
    add_key(out, "status");
    out += "{\"code\":" + std::to_string(kStatusError) + "}";
  }
  out += '}';
}

}  // namespace

size_t count_spans(const RunSpans& run) { return 1 + trace_spans(trace_lines(run.marks)).size(); }

size_t count_spans(const SpanBatch& batch) {
  size_t spans = batch.requests.size();
  for (const RunSpans& run : batch.runs) spans += count_spans(run);
  return spans;
}

std::string otlp_json(const SpanSource& source, const SpanBatch& batch, TraceIds& ids) {
  std::string out = R"({"resourceSpans":[{"resource":{)";
  Attributes(out)
      .text("service.name", "capsule")
      .text("service.version", source.version)
      .text("service.instance.id", source.instance_id)
      .text("host.name", source.host)
      .number("process.pid", source.pid)
      .text("process.executable.name", "capsule-manager")
      .text("process.runtime.name", "cpython")
      .text("process.runtime.version", source.python)
      .close();
  out += R"(},"scopeSpans":[{"scope":{"name":"capsule")";
  add_text(out, "version", source.version);
  out += R"(},"spans":[)";
  for (const RunSpans& run : batch.runs) add_spans(out, run, ids);
  for (const HttpSpan& request : batch.requests) add_http_span(out, request);
  return out += "]}]}]}";
}

OtlpVerdict read_otlp_answer(std::string_view json) {
  OtlpVerdict verdict;
  const auto document = nlohmann::json::parse(json, nullptr, false);
  const nlohmann::json::json_pointer rejected("/partialSuccess/rejectedSpans"), message("/partialSuccess/errorMessage");
  if (!document.is_object()) return verdict;
  if (document.contains(message) && document[message].is_string()) verdict.message = document[message];
  if (!document.contains(rejected)) return verdict;
  const auto& number = document[rejected];
  if (number.is_number_unsigned()) verdict.rejected_spans = number;
  if (number.is_string()) {  // as JSON has 64-bit numbers
    const auto& text = number.get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), verdict.rejected_spans);
  }
  return verdict;
}

}  // namespace capsule

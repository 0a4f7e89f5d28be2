#include "manager/trace_trail.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/fine_clock.h"
#include "base/posix_io.h"
#include "base/uuid7.h"
#include "manager/observe/log.h"

namespace capsule {
namespace {

constexpr size_t kHeadersFileBytes = 16u << 10;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

// The names of OpenTelemetry's SDKs (specification, protocol/exporter.md). Its general variable is a base URL.
std::string endpoint_of(const TraceConfig& config) {
  if (!config.otlp_endpoint.empty()) return config.otlp_endpoint;
  if (const std::string exact = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); !exact.empty()) return exact;
  std::string base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
  while (base.ends_with('/')) base.pop_back();
  return base.empty() ? base : base + "/v1/traces";
}

Result<std::string> headers_of(const TraceConfig& config) {
  if (config.otlp_headers_file.empty()) return variable("OTEL_EXPORTER_OTLP_HEADERS");
  auto text = read_regular_file(config.otlp_headers_file, kHeadersFileBytes);
  if (!text) return text;
  while (text->ends_with('\n')) text->pop_back();
  std::replace(text->begin(), text->end(), '\n', ',');
  return text;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// What a program says of itself is a failure of it; a status of its own choice is not.
bool is_failure(const Finished& outcome) {
  return outcome.verdict != Verdict::kOk && !(outcome.verdict == Verdict::kExit && outcome.exit_status == 0);
}

}  // namespace

Status TraceTrail::open(const TraceConfig& config, const std::string& directory, const std::string& version) {
  TraceExportOptions options;
  if (const std::string url = endpoint_of(config); !url.empty()) {
    const auto headers = headers_of(config);
    if (!headers) return tl::unexpected<Error>(headers.error());
    auto endpoint = parse_otlp_endpoint(url, *headers);
    if (!endpoint) return tl::unexpected<Error>(endpoint.error());
    collector_ = "http://" + endpoint->authority();
    options.endpoint = std::move(*endpoint);
  }
  options.timeout = config.otlp_timeout;
  options.directory = directory;
  options.file = {config.file_bytes, config.files};
  Uuid7Generator ids;
  const SpanSource source{version, ids.next(wall_clock_ms()), host_name(), {}, getpid()};
  if (const Status opened = exporter_.open(std::move(options), source); !opened) {
    log_warning("there is no traces.jsonl", {{"error", opened.error().message}});
  }
  return {};
}

void TraceTrail::finished(const Run& run) {
  if (!run.trace.context.is_sampled() || !exporter_.is_on()) return;
  const Usage& usage = run.outcome.usage;
  RunSpans spans;
  spans.context = run.trace.context;
  spans.began_wall_us = run.trace.began_wall_us;
  spans.marks = run.trace.marks();
  spans.run_id = run.id;
  spans.request_id = run.request_id;
  spans.session = run.request.session;
  spans.profile = run.profile;
  spans.verdict = to_string(run.outcome.verdict);
  spans.is_failure = is_failure(run.outcome);
  spans.exit_status = run.outcome.exit_status;
  spans.uid = run.uid;
  spans.worker_pid = run.worker_pid;
  spans.cpu_user_us = usage.cpu_user_us;
  spans.cpu_system_us = usage.cpu_system_us;
  spans.peak_memory_bytes = usage.peak_memory_bytes;
  spans.output_bytes = run.outcome.evidence.output.stdout_bytes + run.outcome.evidence.output.stderr_bytes;
  exporter_.export_run(std::move(spans));
}

std::string TraceTrail::answered(const HttpExchange& exchange) {
  if (!parse_traceparent(exchange.traceparent)) return {};
  HttpSpan span;
  span.context = ids_.begin(exchange.traceparent);
  span.took_us = to_microseconds(exchange.took);
  span.began_wall_us = wall_clock_us() - span.took_us;
  span.method = exchange.method;
  if (exchange.route != label::HttpRoute::kOther) span.route = to_string(exchange.route);
  span.path = exchange.path;
  span.status = exchange.status;
  span.request_id = exchange.request_id;
  std::string trace_id = span.context.trace_id;
  if (span.context.is_sampled()) exporter_.export_request(std::move(span));
  return trace_id;
}

void TraceTrail::refresh_gauges() {
  const TraceExporter::Totals totals = exporter_.totals();
  metrics_.set_spans(label::SpanOutcome::kExported, totals.exported);
  metrics_.set_spans(label::SpanOutcome::kRecorded, totals.recorded);
  metrics_.set_spans(label::SpanOutcome::kRefused, totals.refused);
  metrics_.set_spans(label::SpanOutcome::kLost, totals.lost);
  metrics_.set_span_export(totals.failures, totals.waiting);
}

TraceFacts trace_facts(const Run& run) {
  const TraceContext& context = run.trace.context;
  const bool is_over = run.state == RunState::kFinished;
  return {run.id,
          run.request.session,
          run.request_id,
          context.trace_id,
          context.span_id,
          context.parent_id,
          is_over ? std::string(to_string(run.outcome.verdict)) : "",
          run.trace.began_wall_us,
          run.trace.buffer ? run.trace.buffer->overwritten() : 0};
}

}  // namespace capsule

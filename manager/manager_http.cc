// What the HTTP listener is told of the manager.
#include <nlohmann/json.hpp>

#include "manager/manager.h"
#include "manager/observe/log.h"
#include "manager/observe/profiler.h"
#include "protocol/version.h"

namespace capsule {
namespace {
constexpr seconds kProofPatience{3};  // a capsule and a worker take a few hundredths of one
constexpr milliseconds kProofLook{5};
}  // namespace

Status Manager::start_http() {
  if (!options_.http.empty()) {
    auto listening = HttpExporter::listen(loop_.context(), options_.http, http_handlers());
    if (!listening) return tl::unexpected<Error>(listening.error());
    http_ = std::move(*listening);
    facts_.http = http_->address();
  }
  if (options_.http_socket.empty()) return {};
  auto bound = bind_socket(options_.http_socket, {});
  if (!bound) return tl::unexpected<Error>(bound.error());
  http_path_ = std::move(*bound);
  auto listening =
      HttpExporter::serve(loop_.context(), std::move(http_path_.socket), options_.http_socket, http_handlers());
  if (!listening) return tl::unexpected<Error>(listening.error());
  http_on_path_ = std::move(*listening);
  facts_.http_socket = http_on_path_->address();
  return {};
}

HttpHandlers Manager::http_handlers() {
  HttpHandlers handlers;
  handlers.metrics = [this](MetricsFormat format) {
    refresh_gauges();
    return metrics_.expose(format);
  };
  handlers.health = [this] { return health(); };
  handlers.prove = [this](auto told) { prove_python(std::move(told)); };
  handlers.version = [this] { return version_document(); };
  handlers.golden_signals = [this] {
    refresh_gauges();
    return metrics_.golden_signals(now() - facts_.started_at);
  };
  handlers.info = [this] { return make_info(sources(), {}, 0).value_or("{}"); };
  if (profiler::is_built_in()) {
    handlers.cpu_profile = [this](seconds length, auto told) { profile_cpu(length, std::move(told)); };
    handlers.heap_profile = [] { return profiler::heap(); };
  }
  handlers.rule = [this](std::string_view key) { return keys_.rule(key, wall_clock_ms(), now()); };
  handlers.on_answered = [this](const HttpExchange& exchange) { answered(exchange); };
  return handlers;
}

void Manager::profile_cpu(seconds length, std::function<void(Result<std::string>)> told) {
  if (const Status started = profiler::start_cpu(); !started) return told(tl::unexpected<Error>(started.error()));
  profile_timer_.after(length, [told = std::move(told)] { told(profiler::stop_cpu()); });
}

// The first who asks starts it, all others wait along: at most as many as there are connections.
void Manager::prove_python(std::function<void(Health)> told) {
  const auto pool = pools_.find(facts_.default_profile);
  const auto state = pool == pools_.end() ? Pool::State::kUnavailable : pool->second->state();
  if (state != Pool::State::kReady && state != Pool::State::kStarting) return told(health());
  if (proof_waiters_.empty()) {
    proof_since_ = now();
    pool->second->prove();
  }
  proof_waiters_.push_back(std::move(told));
  if (proof_waiters_.size() == 1) look_for_proof();
}

void Manager::look_for_proof() {
  const auto pool = pools_.find(facts_.default_profile);
  const auto ran_at = pool == pools_.end() ? std::nullopt : pool->second->python_ran_at();
  const bool is_proven = ran_at && *ran_at >= proof_since_;
  if (!is_proven && now() - proof_since_ < kProofPatience) {
    return proof_timer_.after(kProofLook, [this] { look_for_proof(); });
  }
  for (const auto& told : std::exchange(proof_waiters_, {})) told(health());
}

Health Manager::health() const {
  Health health{facts_.state, facts_.state == "ready"};
  health.reason = records_.problem();
  health.serving = health.serving && health.reason.empty();
  const auto pool = pools_.find(facts_.default_profile);
  if (pool == pools_.end() || pool->second->state() != Pool::State::kReady) return health;
  if (const auto ran_at = pool->second->python_ran_at()) health.python_ran_s = to_seconds(now() - *ran_at);
  return health;
}

std::string Manager::version_document() const {
  const nlohmann::ordered_json document = {{"v", 1},
                                           {"version", facts_.version},
                                           {"commit", options_.build.commit},
                                           {"built_at", options_.build.built_at},
                                           {"python", facts_.python},
                                           {"protocol", kProtocolVersion}};
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// What needs a key is in the audit log; so is who came without one.
void Manager::answered(const HttpExchange& exchange) {
  metrics_.http_answered(exchange.method, exchange.route, exchange.status, exchange.took);
  trail_.http(exchange);
  const std::string trace_id = traces_.answered(exchange);
  log_debug("http", {{"request_id", exchange.request_id},
                     {"trace_id", trace_id},
                     {"method", std::string(to_string(exchange.method))},
                     {"route", std::string(to_string(exchange.route))},
                     {"status", std::to_string(exchange.status)}});
}

}  // namespace capsule

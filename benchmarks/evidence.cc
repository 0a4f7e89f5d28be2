// What it costs to see everything: two managers, one with records, audit, traces that go to a file and to a collector,
// and metrics scraped each second, one with all of that off.
#include "benchmarks/interleave.h"
#include "benchmarks/runs.h"
#include "benchmarks/scraper.h"
#include "benchmarks/sink_collector.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {
namespace {

constexpr double kShare = 0.9;  // mark: of the throughput without
constexpr size_t kAtOnce = 8, kSessions = 4;
// What programs that are worth a record do: a line of output, and a value.
const std::string kCode = "print('seen')\n1+1", kResult = "2";
const std::string kNothing =
    "[records]\nmax_runs = 0\n"
    "[trace]\nfile_bytes = 0\n"
    "[audit]\nfile_bytes = 0\ndecision_file_bytes = 0\n"
    "[server]\nlog_level = \"error\"\n";

struct Watched {
  std::unique_ptr<Subject> subject;
  std::vector<std::string> sessions = {};
  std::string scraped = {};  // its address; empty: nobody scrapes it

  static Result<Watched> start(Stock stock, const std::string& config, const std::string& http) {
    auto subject = Subject::start({.stock = stock, .config = config, .http = http});
    if (!subject) return tl::unexpected(subject.error());
    Watched made{std::move(*subject)};
    for (size_t i = 0; i < kSessions; ++i) {
      Result<std::string> session = new_session(made.subject->client(), "off");
      if (!session) return tl::unexpected(session.error());
      made.sessions.push_back(std::move(*session));
    }
    if (http.empty()) return made;
    Result<std::string> address = made.subject->http_address();
    if (!address) return tl::unexpected(address.error());
    made.scraped = std::move(*address);
    return made;
  }

  Result<std::vector<double>> rate(const std::vector<std::string>& in_sessions, size_t count) {
    if (auto full = subject->wait_for_stock(); !full) return tl::unexpected(full.error());
    std::optional<Scraper> scraper;
    if (!scraped.empty()) scraper.emplace(scraped);
    const auto took = flood(subject->client(), {kCode, kResult, in_sessions, count, kAtOnce});
    if (!took) return tl::unexpected(took.error());
    if (scraper) {
      if (auto good = scraper->stop(); !good) return tl::unexpected(good.error());
    }
    return std::vector<double>{static_cast<double>(count) / to_seconds(*took)};
  }
};

Figure rate_of(std::string name, Samples own, Samples without) {
  Figure figure;
  figure.name = std::move(name);
  figure.unit = "1/s";
  figure.better = Better::kMore;
  figure.own = std::move(own);
  figure.comparisons = {{"all of it off", std::move(without), kShare}};
  return figure;
}

}  // namespace

Result<std::vector<Figure>> measure_evidence(Bench& bench) {
  const Effort& effort = bench.effort;
  auto collector = SinkCollector::start();
  if (!collector) return tl::unexpected(collector.error());
  const std::string traced = "[trace]\notlp_endpoint = \"" + (*collector)->endpoint() + "\"\n";
  auto seen = Watched::start(effort.stock, traced, "127.0.0.1:0");
  if (!seen) return tl::unexpected(seen.error());
  auto unseen = Watched::start(effort.stock, kNothing, "");
  if (!unseen) return tl::unexpected(unseen.error());
  auto samples = interleave(
      {[&] { return seen->rate({}, effort.seen_fresh_runs); }, [&] { return unseen->rate({}, effort.seen_fresh_runs); },
       [&] { return seen->rate(seen->sessions, effort.seen_warm_runs); },
       [&] { return unseen->rate(unseen->sessions, effort.seen_warm_runs); }},
      effort.rounds);
  if (!samples) return tl::unexpected(samples.error());
  if (!(*collector)->was_asked_within(seconds(5))) return failure(Errc::kInvalid, "no spans came to the collector");
  return std::vector<Figure>{
      rate_of("one-shot runs, everything recorded and scraped", (*samples)[0], (*samples)[1]),
      rate_of("runs in sessions, everything recorded and scraped", (*samples)[2], (*samples)[3])};
}

}  // namespace capsule::bench

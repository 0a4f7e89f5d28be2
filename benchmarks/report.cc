#include "benchmarks/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/table.h"

namespace capsule::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kP90 = 0.9, kP99 = 0.99, kP50 = 0.5;

// Three digits that count, without an exponent.
std::string number(double value) {
  const int before = value == 0 ? 1 : static_cast<int>(std::floor(std::log10(std::abs(value)))) + 1;
  std::string text(64, '\0');
  const int size = std::snprintf(text.data(), text.size(), "%.*f", std::clamp(3 - before, 0, 6), value);
  text.resize(static_cast<size_t>(std::max(size, 0)));
  return text;
}

bool meets(double value, double mark, Better better) { return better == Better::kLess ? value <= mark : value >= mark; }

std::string mark_text(double mark, Better better) { return (better == Better::kLess ? "<= " : ">= ") + number(mark); }

// A ratio as people say it: "1/32" for a small one.
std::string spoken(double ratio) { return ratio > 0 && ratio < 0.5 ? "1/" + number(1 / ratio) : number(ratio); }

struct Judged {
  std::string mark, met;
};

Judged judge(const std::optional<double>& mark, double value, Better better, Marks marks) {
  if (!mark) return {"", ""};
  if (marks == Marks::kIgnore) return {mark_text(*mark, better), "not judged"};
  return {mark_text(*mark, better), meets(value, *mark, better) ? "yes" : "NO"};
}

void add_rows(cli::Table& table, const Figure& figure, Marks marks) {
  const auto value = [&](double share) { return number(figure.own.percentile(share, figure.better)); };
  const Judged own = judge(figure.mark, figure.own.median(), figure.better, marks);
  table.add_row({figure.name, value(kP50), value(kP90), value(kP99), figure.unit, std::to_string(figure.own.count()),
                 "", "", "", own.mark, own.met});
  for (const Comparison& each : figure.comparisons) {
    const Ratio ratio = ratio_of(figure.own, each.samples);
    const auto base = [&](double share) { return number(each.samples.percentile(share, figure.better)); };
    const Judged judged = judge(each.mark, ratio.value, figure.better, marks);
    table.add_row({"  beside " + each.baseline, base(kP50), base(kP90), base(kP99), figure.unit,
                   std::to_string(each.samples.count()), number(ratio.value), spoken(ratio.value),
                   number(ratio.low) + " to " + number(ratio.high), judged.mark, judged.met});
  }
}

Json samples_json(const Samples& samples, Better better) {
  return {{"p50", samples.percentile(kP50, better)},
          {"p90", samples.percentile(kP90, better)},
          {"p99", samples.percentile(kP99, better)},
          {"n", samples.count()},
          {"rounds", samples.rounds}};
}

void put_mark(Json& into, const std::optional<double>& mark, double value, Better better, Marks marks) {
  into["mark"] = mark ? Json(*mark) : Json(nullptr);
  into["met"] = mark && marks == Marks::kJudge ? Json(meets(value, *mark, better)) : Json(nullptr);
}

Json figure_json(const Figure& figure, Marks marks) {
  Json json{{"name", figure.name}, {"unit", figure.unit}};
  json["better"] = figure.better == Better::kLess ? "less" : "more";
  json["samples"] = samples_json(figure.own, figure.better);
  put_mark(json, figure.mark, figure.own.median(), figure.better, marks);
  json["baselines"] = Json::array();
  for (const Comparison& each : figure.comparisons) {
    const Ratio ratio = ratio_of(figure.own, each.samples);
    Json beside{{"name", each.baseline}, {"ratio", ratio.value}, {"ratio_low", ratio.low}, {"ratio_high", ratio.high}};
    put_mark(beside, each.mark, ratio.value, figure.better, marks);
    beside["samples"] = samples_json(each.samples, figure.better);
    json["baselines"].push_back(std::move(beside));
  }
  json["notes"] = figure.notes;
  return json;
}

}  // namespace

bool marks_are_met(const std::vector<Figure>& figures, Marks marks) {
  if (marks == Marks::kIgnore) return true;
  for (const Figure& figure : figures) {
    if (figure.mark && !meets(figure.own.median(), *figure.mark, figure.better)) return false;
    for (const Comparison& each : figure.comparisons) {
      if (each.mark && !meets(ratio_of(figure.own, each.samples).value, *each.mark, figure.better)) return false;
    }
  }
  return true;
}

std::string facts_text(const Facts& facts) {
  std::string text;
  for (const auto& [name, value] : facts) text += name + ": " + value + "\n";
  return text;
}

std::string table_text(const std::vector<Figure>& figures, Marks marks) {
  using cli::Align;
  cli::Table table({{.title = "what"},
                    {"p50", Align::kRight},
                    {"p90", Align::kRight},
                    {"p99", Align::kRight},
                    {.title = "unit"},
                    {"n", Align::kRight},
                    {"ratio", Align::kRight},
                    {.title = "is"},
                    {.title = "95 %"},
                    {.title = "mark"},
                    {.title = "met"}});
  std::string notes;
  for (const Figure& figure : figures) {
    add_rows(table, figure, marks);
    for (const std::string& note : figure.notes) notes += note + "\n";
  }
  return table.text(0) + notes;
}

std::string json_text(const Facts& facts, const std::vector<Figure>& figures, Marks marks) {
  Json document{{"v", 1}};
  for (const auto& [name, value] : facts) document["machine"][name] = value;
  document["figures"] = Json::array();
  for (const Figure& figure : figures) document["figures"].push_back(figure_json(figure, marks));
  document["marks"] = marks == Marks::kJudge ? "judged" : "ignored";
  document["met"] = marks == Marks::kJudge ? Json(marks_are_met(figures, marks)) : Json(nullptr);
  return document.dump() + "\n";
}

}  // namespace capsule::bench

// The figures as a table for people and as one JSON document, and whether the marks are met.
#pragma once

#include <string>
#include <vector>

#include "benchmarks/machine.h"
#include "benchmarks/workloads.h"

namespace capsule::bench {

enum class Marks { kJudge, kIgnore };  // a smoke run measures too little to judge

// Of all figures together; kIgnore: always.
bool marks_are_met(const std::vector<Figure>& figures, Marks marks);

std::string facts_text(const Facts& facts);
std::string table_text(const std::vector<Figure>& figures, Marks marks);
std::string json_text(const Facts& facts, const std::vector<Figure>& figures, Marks marks);

}  // namespace capsule::bench

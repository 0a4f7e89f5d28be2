// Compile-time loop over the variant, and the field list of a message as data.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/fields.h"
#include "protocol/message.h"

namespace capsule {

struct FieldFact {
  std::string name;
  fields::Need need = fields::kRequired;
};

template <class T>
std::vector<FieldFact> field_facts() {
  std::vector<FieldFact> facts;
  T value{};
  auto collect = [&facts](std::string_view name, const auto&, fields::Need need) {
    facts.push_back({std::string(name), need});
  };
  fields::visit(collect, value);
  return facts;
}

// Calls f with a default-constructed message of each type.
template <class F>
void for_each_message(F f) {
  [&f]<size_t... I>(std::index_sequence<I...>) { (f(std::variant_alternative_t<I, Message>{}), ...); }
  (std::make_index_sequence<std::variant_size_v<Message>>{});
}

}  // namespace capsule

#include "manager/sessions/lineage.h"

#include <catch2/catch.hpp>

namespace capsule {
namespace {

PlacePtr place(std::string name, PlacePtr parent = {}) {
  return std::make_shared<Place>(Place{std::move(name), std::move(parent)});
}

TEST_CASE("the parent is the nearest ancestor that lives", "[lineage]") {
  const PlacePtr first = place("first"), second = place("second", first), third = place("third", second);
  CHECK(living_parent(*third) == second.get());
  second->is_closed = true;
  CHECK(living_parent(*third) == first.get());
  first->is_closed = true;
  CHECK(living_parent(*third) == nullptr);
  CHECK(living_parent(*first) == nullptr);
}

TEST_CASE("who descends stays a descendant when those between are closed", "[lineage]") {
  const PlacePtr first = place("first"), second = place("second", first), third = place("third", second);
  second->is_closed = true;
  CHECK(descends_from(*third, *first));
  CHECK_FALSE(descends_from(*first, *third));
  CHECK_FALSE(descends_from(*first, *first));
  CHECK(ancestors(*third) == std::vector<std::string>{"second", "first"});
}

TEST_CASE("who has the name of an ancestor is not one", "[lineage]") {
  const PlacePtr gone = place("lab"), fork = place("fork", gone);
  gone->is_closed = true;
  const PlacePtr other = place("lab");
  CHECK_FALSE(descends_from(*fork, *other));
  CHECK(living_parent(*fork) == nullptr);
}

}  // namespace
}  // namespace capsule

#include "manager/sessions/state_tree.h"

#include <catch2/catch.hpp>
#include <random>

namespace capsule {
namespace {

using Ids = std::vector<std::string>;

TEST_CASE("a session that has run nothing needs no snapshot, and a fork of one does") {
  CHECK(StateTree(Origin::kFresh).is_covered());
  CHECK_FALSE(StateTree(Origin::kUnique).is_covered());
}

TEST_CASE("the latest snapshot is the fallback, and the runs since then would be lost") {
  StateTree tree(Origin::kFresh);
  CHECK_FALSE(tree.fallback());
  tree.run_kept("a");
  CHECK_FALSE(tree.is_covered());
  CHECK(tree.runs_since(std::nullopt).ids == Ids{"a"});
  tree.taken(1, "");
  CHECK(tree.is_covered());
  tree.run_kept("b");
  tree.taken(2, "");
  tree.run_kept("c");
  tree.run_kept("d");
  CHECK(tree.fallback() == 2);
  CHECK(tree.runs_since(2).ids == Ids{"c", "d"});
  CHECK(tree.runs_since(2).count == 2);
  tree.gone(2);
  CHECK(tree.fallback() == 1);
  CHECK(tree.runs_since(1).ids == Ids{"b", "c", "d"});
}

TEST_CASE("going back makes the snapshot's state the present one, and newer snapshots superfluous") {
  StateTree tree(Origin::kFresh);
  tree.run_kept("a");
  tree.taken(1, "");
  tree.run_kept("b");
  tree.taken(2, "");
  tree.run_kept("c");
  tree.went_back(1);
  tree.gone(1);
  CHECK(tree.runs_since(std::nullopt).ids == Ids{"a"});
  CHECK(tree.superfluous(8) == std::vector<SnapshotId>{2});
  CHECK_FALSE(tree.fallback());
  tree.run_kept("d");
  CHECK(tree.runs_since(std::nullopt).ids == Ids{"a", "d"});
}

TEST_CASE("a fresh namespace has lost everything and is covered by itself") {
  StateTree tree(Origin::kUnique);
  tree.run_kept("a");
  tree.went_back(std::nullopt);
  CHECK(tree.is_covered());
  CHECK(tree.runs_since(std::nullopt).count == 0);
}

TEST_CASE("a fresh namespace is not the beginning of a line that began with something else") {
  StateTree tree(Origin::kUnique);
  tree.run_kept("a");
  tree.taken(1, "before");
  tree.went_back(std::nullopt);
  tree.went_back(1);
  CHECK_FALSE(tree.undo(1));
  tree.run_kept("b");
  CHECK_FALSE(tree.undo(2));
  CHECK(tree.undo(1).value() == 1);
}

TEST_CASE("a checkpoint of another line of runs can be gone back to") {
  StateTree tree(Origin::kFresh);
  tree.run_kept("a");
  tree.taken(1, "");
  tree.run_kept("b");
  tree.taken(2, "before-train");
  tree.went_back(1);
  tree.gone(1);
  tree.run_kept("c");
  tree.taken(3, "");
  CHECK(tree.find_checkpoint("before-train") == 2);
  CHECK(tree.fallback() == 3);
  CHECK(tree.superfluous(8).empty());
  tree.went_back(2);
  CHECK(tree.runs_since(std::nullopt).ids == Ids{"a", "b"});
  CHECK(tree.fallback() == 2);
  CHECK(tree.superfluous(8) == std::vector<SnapshotId>{3});
}

TEST_CASE("of two snapshots of one state the unnamed one is used up first") {
  StateTree tree(Origin::kFresh);
  tree.run_kept("a");
  tree.taken(1, "kept");
  tree.taken(2, "");
  CHECK(tree.fallback() == 2);
  CHECK(tree.checkpoints() == 1);
}

TEST_CASE("undo finds the state of so many runs ago, or says which there are") {
  StateTree tree(Origin::kFresh);
  tree.run_kept("a");
  tree.taken(1, "");
  tree.run_kept("b");
  tree.run_kept("c");
  tree.taken(2, "");
  CHECK(tree.undo(2).value() == 1);
  CHECK(tree.undo(3).value() == std::nullopt);
  CHECK(tree.undo(1).error().message == "the state of 1 run ago is not kept; kept are those of 2, 3 runs ago");
  CHECK(tree.undo(4).error().message == "the session has 3 runs that could be undone");
  CHECK(tree.undo(0).error().code == Errc::kInvalid);
  tree.run_kept("d");
  CHECK(tree.undo(1).value() == 2);
}

TEST_CASE("more snapshots than are kept go, oldest first, checkpoints never") {
  StateTree tree(Origin::kFresh);
  for (SnapshotId id = 1; id <= 5; ++id) {
    tree.run_kept("r" + std::to_string(id));
    tree.taken(id, id == 2 ? "named" : "");
  }
  CHECK(tree.superfluous(2) == std::vector<SnapshotId>{1, 3});
  CHECK(tree.oldest_unnamed() == 1);
}

TEST_CASE("ten thousand runs are counted although their names are forgotten") {
  StateTree tree(Origin::kFresh);
  tree.run_kept("first");
  tree.taken(1, "");
  for (int i = 0; i < 10'000; ++i) tree.run_kept("r");
  CHECK(tree.runs_since(1).count == 10'000);
  CHECK(tree.runs_since(1).ids.size() <= StateTree::kStatesMax);
  tree.went_back(1);
  CHECK(tree.runs_since(std::nullopt).count == 1);
}

// A model that keeps everything: a list of runs for each state.
TEST_CASE("random histories agree with a list of runs") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    StateTree tree(Origin::kFresh);
    Ids present;
    std::map<SnapshotId, Ids> held;
    SnapshotId last = 0;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 5) {
        case 0:
        case 1:
          present.push_back(std::to_string(step));
          tree.run_kept(present.back());
          break;
        case 2:
          held[++last] = present;
          tree.taken(last, random() % 3 == 0 ? "c" + std::to_string(last) : "");
          break;
        case 3:
          if (const auto to = tree.fallback()) {
            const Ids& kept = held.at(*to);
            REQUIRE(kept.size() <= present.size());
            REQUIRE(std::equal(kept.begin(), kept.end(), present.begin()));
            REQUIRE(tree.runs_since(to).ids == Ids(present.begin() + static_cast<long>(kept.size()), present.end()));
            for (const auto& [id, state] : held) {  // nothing nearer was there
              const bool leads_here =
                  state.size() <= present.size() && std::equal(state.begin(), state.end(), present.begin());
              if (leads_here) REQUIRE(state.size() <= kept.size());
            }
            present = kept;
            tree.went_back(to);
          } else {
            present.clear();
            tree.went_back(std::nullopt);
          }
          break;
        case 4:
          for (const SnapshotId id : tree.superfluous(3)) {
            tree.gone(id);
            held.erase(id);
          }
      }
      REQUIRE(tree.runs_since(std::nullopt).ids == present);
    }
  }
}

}  // namespace
}  // namespace capsule

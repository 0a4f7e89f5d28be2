// Files on their way from an upload into a workspace, while the loop goes on: a slice of bounded size each turn.
//
// Lives on the loop's thread; its owner is whoever waits for it. Destroying it ends it, and what is not whole yet goes.
#pragma once

#include <functional>
#include <memory>

#include "manager/async/loop.h"
#include "manager/files/upload.h"

namespace capsule {

class Placing {
 public:
  // Called once, from the loop; it may destroy this object.
  using Done = std::function<void(Result<Manifest>)>;

  Placing(Loop& loop, std::shared_ptr<const Upload> upload, std::shared_ptr<const Workspace> workspace, Done done);

 private:
  void turn_soon();
  void turn();

  Loop& loop_;
  Storing storing_;
  Done done_;
  std::shared_ptr<Placing*> self_;  // for the turn to come: expired when this object is gone
};

}  // namespace capsule

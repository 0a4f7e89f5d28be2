// Makes parked copies: of a worker that has said it made one, or of another parked copy. A process that says it is a
// copy becomes one here, once its keeper has found it among its children and it has parked. Owned by a session's
// Snapshots; answers that come after its end are dropped.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/pool/capsule_process.h"
#include "manager/pool/parked_copy.h"

namespace capsule {

class CopyMaker {
 public:
  using Made = std::function<void(Result<std::unique_ptr<ParkedCopy>>)>;
  using Died = std::function<void()>;  // after it was made

  CopyMaker(Loop& loop, Metrics& metrics) : loop_(loop), metrics_(metrics) {}

  // `link`: our end of the copy's link; `capsule`: where the original lives; `home`: where the copy shall. The keeper
  // must have expected it.
  struct Origin {
    std::shared_ptr<CapsuleProcess> capsule, home;
    pid_t original;  // as `capsule` numbers it
  };
  void keep(const Origin& origin, UniqueFd link, const Branched& claim, Died died, Made made);
  void copy_of(const std::shared_ptr<CapsuleProcess>& capsule, ParkedCopy& original, const std::string& name, Died died,
               Made made);
  void give_up() { settling_.clear(); }  // what is being made; nobody is told

 private:
  struct Settling {
    std::unique_ptr<ParkedCopy> copy;
    Made made;
  };
  void settled(uint64_t serial);

  Loop& loop_;
  Metrics& metrics_;
  std::map<uint64_t, Settling> settling_;  // known to the keeper, and not yet parked
  uint64_t last_serial_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace capsule

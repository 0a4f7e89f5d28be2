// What workers and parked copies hold of memory, for the metrics. Each look costs the kernel a walk through page tables
// (and wakes a parked copy), so one scrape looks at the next few in turn and takes the latest word of the others.
//
// Owned by the manager; lives on the loop's thread. At most kWorkersPerLook and kSessionsPerLook at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "manager/pool/pool.h"
#include "manager/sessions/session_registry.h"

namespace capsule {

class MemoryLook {
 public:
  static constexpr size_t kWorkersPerLook = 8;   // of one profile
  static constexpr size_t kSessionsPerLook = 2;  // each has a handful of copies

  MemoryUse look(const Pool& pool);
  // Private bytes of all parked copies; what is asked now is in the next answer.
  uint64_t look(const SessionRegistry& sessions);

 private:
  struct Profile {
    std::map<uint64_t, MemoryUse> workers;  // by id
    uint64_t last = 0;                      // looked at
  };
  struct Parked {
    std::map<std::string, uint64_t> sessions;  // private bytes, by id
    std::string last;
  };
  std::map<std::string, Profile> profiles_;
  std::shared_ptr<Parked> parked_ = std::make_shared<Parked>();
};

}  // namespace capsule

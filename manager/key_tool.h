// `capsule-manager --key`: makes, lists and removes API keys, behind `capsule key`. Works beside a running manager,
// which sees the change with its next request.
#pragma once

#include <string>

#include "base/result.h"

namespace capsule {

struct KeyRequest {
  std::string operation;  // new, ls, rm
  std::string name;       // new, rm
  uint64_t requests_per_minute = 600;
  uint64_t days = 0;  // until it expires; 0: never
};

// The answer as JSON, one line. `new` has the key in it, which can be seen this one time.
Result<std::string> use_keys(const std::string& path, const KeyRequest& request, int64_t wall_ms);

}  // namespace capsule

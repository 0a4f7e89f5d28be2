// One resource limit of this process, lower for the time of one run. What the program made of it meanwhile stays.
#pragma once

#include <sys/resource.h>

namespace capsule {

class RunLimit {
 public:
  enum class Reach {
    kSoft,  // a program can raise it as far as the hard limit; comes back afterwards
    kHard,  // for good: the worker has no other run
  };
  // 0, or no less than what is in force: nothing is changed.
  RunLimit(__rlimit_resource resource, rlim_t wanted, Reach reach);
  ~RunLimit();
  RunLimit(const RunLimit&) = delete;
  RunLimit& operator=(const RunLimit&) = delete;

 private:
  __rlimit_resource resource_;
  rlim_t before_ = 0, set_ = 0;  // equal: nothing is to come back
};

}  // namespace capsule

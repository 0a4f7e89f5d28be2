// Where this process's control groups are: from /proc/self/mountinfo and /proc/self/cgroup to directories. Pure: the
// two texts come in as arguments.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace capsule {

struct CgroupPlaces {
  std::map<std::string, std::string> v1;  // controller ("memory") -> directory of our own group in its hierarchy
  std::string v2;                         // directory of our own group; empty: version 2 is not mounted
};

// mountinfo as in proc(5), own as /proc/self/cgroup. A group outside of what is mounted (containers) becomes the mount
// itself.
CgroupPlaces find_cgroups(std::string_view mountinfo, std::string_view own);

std::vector<std::string> words_of(std::string_view text, std::string_view separators);

}  // namespace capsule

#include "manager/cgroup/hierarchy.h"

#include <algorithm>
#include <sstream>

namespace capsule {
namespace {

struct CgroupMount {
  std::string root, point;  // which part of the hierarchy is seen, and where
  bool is_v2 = false;
  std::vector<std::string> controllers;  // version 1
};

// proc(5): "36 35 98:0 /root /point options - type source super_options", with any number of fields before the dash.
std::vector<CgroupMount> cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> fields = words_of(line, " ");
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 6 || fields.end() - dash < 4) continue;
    if (dash[1] != "cgroup" && dash[1] != "cgroup2") continue;
    mounts.push_back({fields[3], fields[4], dash[1] == "cgroup2", words_of(dash[3], ",")});
  }
  return mounts;
}

std::string directory_of(const CgroupMount& mount, const std::string& own_path) {
  std::string below = own_path;
  if (mount.root != "/") {
    const bool inside = below == mount.root || below.starts_with(mount.root + "/");
    below = inside ? below.substr(mount.root.size()) : "";
  }
  if (below == "/" || below.starts_with("/..")) below.clear();
  return mount.point + below;
}

}  // namespace

std::vector<std::string> words_of(std::string_view text, std::string_view separators) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find_first_of(separators, begin), text.size());
    if (end > begin) words.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

CgroupPlaces find_cgroups(std::string_view mountinfo, std::string_view own) {
  CgroupPlaces places;
  const std::vector<CgroupMount> mounts = cgroup_mounts(mountinfo);
  std::istringstream lines{std::string(own)};
  for (std::string line; std::getline(lines, line);) {  // "4:memory:/path", "0::/path" for version 2
    const size_t first = line.find(':');
    const size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string path = line.substr(second + 1);
    const std::vector<std::string> controllers = words_of(line.substr(first + 1, second - first - 1), ",");
    for (const CgroupMount& mount : mounts) {
      if (mount.is_v2 && controllers.empty() && places.v2.empty()) places.v2 = directory_of(mount, path);
      if (mount.is_v2) continue;
      for (const std::string& controller : controllers) {
        const auto& there = mount.controllers;
        if (std::find(there.begin(), there.end(), controller) != there.end()) {
          places.v1.try_emplace(controller, directory_of(mount, path));
        }
      }
    }
  }
  return places;
}

}  // namespace capsule

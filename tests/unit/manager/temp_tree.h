// A directory of a test's own with a secret beside it that nothing may reach: <dir>/outside/secret, <dir>/root.
#pragma once

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/unique_fd.h"

namespace capsule {

class TempTree {
 public:
  TempTree() {
    std::string pattern = (std::filesystem::temp_directory_path() / "capsule-files-XXXXXX").string();
    top_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(top_ / "root");
    std::filesystem::create_directories(top_ / "outside");
    write(secret(), "secret");
    root_.reset(open(path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~TempTree() { std::filesystem::remove_all(top_); }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  int fd() const { return root_.get(); }
  std::filesystem::path path(const std::string& name = {}) const {
    return name.empty() ? top_ / "root" : top_ / "root" / name;
  }
  std::filesystem::path outside() const { return top_ / "outside"; }
  std::filesystem::path secret() const { return outside() / "secret"; }

  static void write(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  static std::string read(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool outside_is_untouched() const {
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(outside())) files += entry.exists() ? 1 : 0;
    return files == 1 && read(secret()) == "secret";
  }

 private:
  std::filesystem::path top_;
  UniqueFd root_;
};

}  // namespace capsule

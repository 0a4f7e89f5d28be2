// Preloaded into the manager: writes each fsync and rename below a directory of checkpoints into the file FSYNC_LOG, in
// order, and lets the fsync of what FSYNC_FAILS names (file, directory) fail, as a disk that is dying does.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr const char* kWhere = "/checkpoints";

void tell(const char* what, const char* of) {
  const char* log = std::getenv("FSYNC_LOG");
  const int file = log == nullptr ? -1 : open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  char line[512];
  const int size = std::snprintf(line, sizeof line, "%s %s\n", what, of);
  if (write(file, line, static_cast<size_t>(size)) != size) std::abort();
  close(file);
}

bool is_below(int descriptor) {
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return false;
  path[size] = 0;
  return std::strstr(path, kWhere) != nullptr;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int fsync(int descriptor) {
  static auto* const original = real<int(int)>("fsync");
  if (is_below(descriptor)) {
    struct stat facts {};
    const char* what = fstat(descriptor, &facts) == 0 && S_ISDIR(facts.st_mode) ? "directory" : "file";
    const char* fails = std::getenv("FSYNC_FAILS");
    tell("fsync", what);
    if (fails != nullptr && std::strcmp(fails, what) == 0) {
      errno = EIO;
      return -1;
    }
  }
  return original(descriptor);
}

extern "C" int renameat2(int from, const char* old_name, int to, const char* new_name, unsigned flags) {
  static auto* const original = real<int(int, const char*, int, const char*, unsigned)>("renameat2");
  if (is_below(to)) tell("rename", new_name);
  return original(from, old_name, to, new_name, flags);
}

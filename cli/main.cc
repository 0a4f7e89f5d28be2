// The `capsule` command: makes the process fit for what follows, then leaves it to the commands.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/command.h"

namespace {

// A descriptor 0 to 2 that is closed would be given to the next socket, and output would go there.
void open_standard_descriptors() {
  int fd = -1;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  // A reader that goes away is an error of write(), not the end.
  signal(SIGPIPE, SIG_IGN);
  return capsule::cli::dispatch(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}

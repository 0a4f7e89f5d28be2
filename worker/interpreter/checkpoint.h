// Durable checkpoints: the namespace of this worker's programs into a pipe, and back (python/_capsule_checkpoint.py).
// Both run code of the program, and may take as long as it likes: whoever starts one has a deadline and ends the
// process.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace capsule::interpreter {

struct SaveOptions {
  std::map<std::string, std::string> leave_out;  // name to reason: what ended an earlier copy
  Duration timeout{};                            // names that are not reached by then are left out
  Duration stall_timeout{};                      // so is a name of which nothing comes for so long
  uint64_t bytes_max = 0;                        // of the payload; names that do not fit are left out
};

// In a copy of the worker that ends afterwards: signal handlers, stack and recursion limit are changed for good. Writes
// frames into `fd`, metadata last. kSystem: cloudpickle cannot be imported, nobody reads.
Status save_namespace(int fd, const SaveOptions& options);

// In a fresh worker, on its only thread. Reads `fd` to the end. The report is JSON (see _capsule_restore.load): what
// was not restored is in it and is no error.
Result<std::string> load_namespace(int fd);

}  // namespace capsule::interpreter

// What is in the namespace of this worker's programs: names, types, sizes (python/_capsule_inspect.py).
#pragma once

#include <string>

#include "base/result.h"

namespace capsule::interpreter {

enum class Names { kPlain, kHashed };

// Between runs, on the interpreter's thread. JSON. Runs no code of the program but what is due anyway: its signal
// handlers and its other threads.
Result<std::string> inspect_namespace(Names names);

}  // namespace capsule::interpreter

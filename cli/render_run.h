// What is said on stderr about how a run ended. Pure.
#pragma once

#include <string>
#include <vector>

#include "protocol/message.h"

namespace capsule::cli {

// The traceback as Python prints it, ready for stderr; empty without an error.
std::string traceback_text(const Finished& finished);

// Lines (without newline or "capsule: ") for what the program did not say itself: an end that was not its own,
// output that was dropped, a session that lost its state. Empty for an ordinary end.
std::vector<std::string> ending_notes(const Finished& finished);

// "SIGSEGV"; "signal 77" for those without a name.
std::string signal_name(int number);

// ".png" for image/png; ".bin" for types without a usual name.
std::string extension_for(std::string_view mime);

}  // namespace capsule::cli

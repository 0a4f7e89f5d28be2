// Reading memory that other threads change meanwhile: a pointer may lead nowhere by the time it is followed. The fault
// ends the reading and not the program.
#pragma once

namespace capsule {

enum class ReadOutcome { kWhole, kCutShort };

// Calls read(fd), which must hold no lock and own nothing, for it may be left in the middle. One thread of a process at
// a time. Meanwhile SIGSEGV and SIGBUS are handled here; a fault of another thread goes to the handler it would have
// met.
ReadOutcome read_guarded(void (*read)(int fd), int fd);

}  // namespace capsule

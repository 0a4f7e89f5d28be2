// Before a worker dies of a fault of its own (a null pointer in C code, abort(), too deep a recursion), it tells the
// manager where its Python threads were; then it dies of that very signal, as it would have. A courtesy of a process
// that is already broken: what it says is hostile input as ever, and when it cannot say it, it says nothing.
#pragma once

namespace capsule {

class LinkThread;

// For SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, where nobody else handles them. Once in a process, on its main
// thread, which gets a stack for handlers of its own. Programs may install handlers over it.
void tell_stack_of_crashes(LinkThread& link);

}  // namespace capsule

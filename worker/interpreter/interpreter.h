// CPython, seen from the rest of the worker: start, preload, fork hooks, run. This folder is the only one that includes
// Python.h. There is one interpreter a process; every function runs on the thread that started it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "protocol/message.h"

namespace capsule::interpreter {

// What Python code may ask of the process around it. Called with the GIL released; may block.
class Host {
 public:
  virtual ~Host() = default;
  virtual Status send(const Message& message) = 0;
  // Returns when the manager has handled it: everything printed before is out, nothing printed after is.
  virtual Status send_and_wait(Display display) = 0;
  virtual std::string cancelled_run() = 0;  // latest run that was asked to stop; empty when none was
  // In a child that user code forked: what it sent would tear the parent's frames, so it gives up its copy of the link.
  virtual void forget_in_child() = 0;
};

// Initialises CPython with garbage collection off. `packages` are directories to import from, before the system's own.
Status start(const std::vector<std::string>& packages);
Status preload(const std::vector<std::string>& modules);
// Last step of a zygote: run a cell once, so that what it touches is warm; make the streams on descriptors 0-2; take
// everything out of the collector.
Status settle();

// Around every fork of a process that holds an interpreter (PyOS_BeforeFork and its companions).
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

// First step of a worker: new randomness, the interrupt handler, and the rehearsal of a no-op cell, which touches what
// the first run will write. It is skipped for a run that waits: that run would pay for both.
enum class Rehearsal { kDo, kSkip };
Status become_worker(Host& host, Rehearsal rehearsal);

// What the program's own threads are called, for people.
std::string thread_names();

// First step of a snapshot that is woken. A copy that takes the place of its original keeps the state of every random
// generator; one that lives beside it gets new ones. OpenSSL's starts anew either way: it takes a repeated pid for no
// fork at all.
enum class Randomness { kKept, kNew };
Status wake_up(Randomness randomness);

// Calls the program's signal handlers that are due. They would be called by whatever Python runs next, and what they
// raise must not end our own code; nobody is told of it, for no run is on.
void run_due_handlers();

// Runs it to the end; the claim of the run. Descriptors 0-2 must already be the run's own.
Finished execute(const Execute& request);
bool healthy();

// Writes the stacks of all Python threads to `fd`, as faulthandler does: from any thread, without the GIL, without
// allocating, also in a signal handler; the thread that asks is marked. What a running thread does meanwhile may make
// its part wrong, or lead to a fault (guarded_read.h); a stuck one's is right.
void dump_stacks(int fd);

std::string version();  // "3.11.2"

// Lets other Python threads run while this one waits for work.
class WithoutGil {
 public:
  WithoutGil();
  ~WithoutGil();
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  void* state_;
};

}  // namespace capsule::interpreter

// What the sanitisers of a sanitised build are told in the worker program. Elsewhere that is the environment's part,
// but the manager starts the worker with an empty one. Compiled only into sanitised builds.
//
// Reports go to files beside the build where they can: standard error is another one in a zygote and a keeper, in a
// run, and in an idle worker.

extern "C" {

// The sanitisers' runtime calls these by name before main.
const char* __asan_default_options();
const char* __ubsan_default_options();

// detect_leaks: CPython frees little at its end, and the check needs ptrace, which a capsule does not give.
// handle_*: programs crash on purpose, and the verdict names the signal.
// allocator_may_return_null: too much memory is a MemoryError, not a defect.
// quarantine_size_mb: the pool recycles workers by their resident size.
// detect_stack_use_after_return: its stacks would be copied at each fork.
const char* __asan_default_options() {
  return "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:"
         "allocator_may_return_null=1:quarantine_size_mb=8:detect_stack_use_after_return=0:use_sigaltstack=0:"
         "abort_on_error=1:log_path='" SANITIZER_LOG "'";
}

const char* __ubsan_default_options() {
  return "halt_on_error=1:abort_on_error=1:print_stacktrace=1:log_path='" SANITIZER_LOG "'";
}

}  // extern "C"

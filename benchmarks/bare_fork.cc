// The floor of a fresh interpreter: fork() of a CPython that has imported the same modules, one byte from the child,
// its _exit and the wait. No sandbox, no Python in the child.
//
//   bare_fork MODULE...     prints "ready"; then, for each line with a number n on stdin, one line of n times in us
#include <Python.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/clock.h"

namespace {

constexpr long kMostForks = 10000;  // of one line

// Microseconds, or a negative number when it failed.
double fork_once() {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return -1;
  const capsule::TimePoint begin = capsule::now();
  const pid_t pid = fork();
  if (pid == 0) _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
  char byte = 0;
  int status = 0;
  const bool arrived = pid > 0 && read(ends[0], &byte, 1) == 1 && waitpid(pid, &status, 0) == pid && status == 0;
  const double took_us = capsule::to_seconds(capsule::now() - begin) * 1e6;
  close(ends[0]);
  close(ends[1]);
  return arrived ? took_us : -1;
}

bool import_all(int count, char** names) {
  for (int i = 0; i < count; ++i) {
    PyObject* module = PyImport_ImportModule(names[i]);
    if (module == nullptr) PyErr_Print();
    if (module == nullptr) return false;
    Py_DECREF(module);
  }
  return PyRun_SimpleString("import gc; gc.collect(); gc.freeze()") == 0;
}

}  // namespace

int main(int argc, char** argv) {
  Py_InitializeEx(0);
  if (!import_all(argc - 1, argv + 1)) return 1;
  puts("ready");
  fflush(stdout);
  std::array<char, 32> line{};
  while (fgets(line.data(), static_cast<int>(line.size()), stdin) != nullptr) {
    const long count = strtol(line.data(), nullptr, 10);
    if (count < 1 || count > kMostForks) return 2;
    for (long i = 0; i < count; ++i) printf("%.3f ", fork_once());
    puts("");
    fflush(stdout);
  }
  return 0;
}

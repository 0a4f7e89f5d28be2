// The floor of a fresh interpreter: fork() of a CPython that has imported the same modules, one answer from the child,
// its _exit and the wait. No sandbox.
//
//   bare_fork MODULE...     prints "ready"; then answers each line "WHAT N" on stdin with one line of N numbers:
//                           fork  us until a child that does nothing has ended
//                           run   us until a child that evaluates 1+1 has ended
//                           spin  CPU seconds of the computing program (benchmarks/spin.h) in a child
#include <Python.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/clock.h"
#include "benchmarks/spin.h"

namespace {

constexpr long kMostForks = 10000;  // of one line

enum class What { kFork, kRun, kSpin };

// In the child: what is to be sent, or a negative number.
double work(What what) {
  if (what == What::kFork) return 0;
  PyOS_AfterFork_Child();
  PyObject* names = PyDict_New();
  if (names == nullptr || PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) != 0) return -1;
  const bool spins = what == What::kSpin;
  PyObject* value = spins ? PyRun_String(capsule::bench::kSpinProgram, Py_file_input, names, names)
                          : PyRun_String("1+1", Py_eval_input, names, names);
  if (value == nullptr) return -1;
  return PyFloat_AsDouble(spins ? PyDict_GetItemString(names, "took") : value);
}

// What the child sent (spin) or microseconds; a negative number when it failed.
double fork_once(What what) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return -1;
  const capsule::TimePoint begin = capsule::now();
  const pid_t pid = fork();
  if (pid == 0) {
    const double answer = work(what);
    _exit(write(ends[1], &answer, sizeof answer) == sizeof answer ? 0 : 1);
  }
  double answer = -1;
  int status = 0;
  const bool arrived = pid > 0 && read(ends[0], &answer, sizeof answer) == sizeof answer && answer >= 0 &&
                       waitpid(pid, &status, 0) == pid && status == 0;
  const double took_us = capsule::to_seconds(capsule::now() - begin) * 1e6;
  close(ends[0]);
  close(ends[1]);
  if (!arrived) return -1;
  return what == What::kSpin ? answer : took_us;
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

bool parse(const std::string& line, What& what, long& count) {
  const size_t space = line.find(' ');
  if (space == std::string::npos) return false;
  const std::string word = line.substr(0, space);
  if (word != "fork" && word != "run" && word != "spin") return false;
  what = word == "fork" ? What::kFork : word == "run" ? What::kRun : What::kSpin;
  count = strtol(line.c_str() + space, nullptr, 10);
  return count >= 1 && count <= kMostForks;
}

}  // namespace

int main(int argc, char** argv) {
  Py_InitializeEx(0);
  if (!import_all(argc - 1, argv + 1)) return 1;
  puts("ready");
  fflush(stdout);
  std::array<char, 32> line{};
  while (fgets(line.data(), static_cast<int>(line.size()), stdin) != nullptr) {
    What what{};
    long count = 0;
    if (!parse(line.data(), what, count)) return 2;
    for (long i = 0; i < count; ++i) printf("%.9g ", fork_once(what));
    puts("");
    fflush(stdout);
  }
  return 0;
}

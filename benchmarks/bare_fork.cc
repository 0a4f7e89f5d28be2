// The floor of a fresh interpreter: fork() of a CPython that has imported the same modules, one answer from the child,
// its _exit and the wait. No sandbox.
//
//   bare_fork MODULE...     prints "ready"; then answers each line "WHAT N" on stdin with one line of N numbers:
//                           fork  us until a child that does nothing has ended
//                           run   us until a child that evaluates 1+1 has ended
//                           copy  us until a child says that it is there; it stays until its end is asked for
//                           kill  us from the SIGKILL of such a child until it is reaped
//                           heap  0; from now on children have a copy of N MB more, in small pages
#include <Python.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/clock.h"

namespace {

constexpr long kMostForks = 10000;   // of one line
constexpr long kMostHeapMb = 10000;  // 10 GB
constexpr size_t kMegabyte = 1'000'000;

enum class What { kFork, kRun, kCopy, kKill };
constexpr std::array<const char*, 4> kWords{"fork", "run", "copy", "kill"};  // in the same order

struct Order {
  What what{};
  long heap_mb = -1;  // not negative: this is all that is wanted
  long count = 0;
};

// In the child: a number; a negative one when it failed.
double work(What what) {
  if (what == What::kFork) return 0;
  PyOS_AfterFork_Child();
  PyObject* names = PyDict_New();
  if (names == nullptr || PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) != 0) return -1;
  PyObject* value = PyRun_String("1+1", Py_eval_input, names, names);
  return value == nullptr ? -1 : PyFloat_AsDouble(value);
}

// Microseconds; a negative number when it failed.
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
  return took_us;
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

// What a session's snapshot is measured beside: the copy stays, and its end is not part of the time it took to make.
double copy_once(What what) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return -1;
  const capsule::TimePoint begin = capsule::now();
  const pid_t pid = fork();
  if (pid == 0) {
    if (write(ends[1], "", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  const bool arrived = pid > 0 && read(ends[0], &byte, 1) == 1;
  const capsule::TimePoint there = capsule::now();
  int status = 0;
  const bool ended = pid > 0 && kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid;
  const capsule::TimePoint gone = capsule::now();
  close(ends[0]);
  close(ends[1]);
  if (!arrived || !ended) return -1;
  return capsule::to_seconds(what == What::kCopy ? there - begin : gone - there) * 1e6;
}

double measure_once(What what) {
  return what == What::kCopy || what == What::kKill ? copy_once(what) : fork_once(what);
}

bool parse(const std::string& line, Order& order) {
  const size_t space = line.find(' ');
  if (space == std::string::npos) return false;
  const std::string word = line.substr(0, space);
  const long number = strtol(line.c_str() + space, nullptr, 10);
  if (word == "heap") order.heap_mb = number;
  if (word == "heap") return number >= 0 && number <= kMostHeapMb;
  const auto* const found = std::find(kWords.begin(), kWords.end(), word);
  if (found == kWords.end()) return false;
  order.what = static_cast<What>(found - kWords.begin());
  order.count = number;
  return number >= 1 && number <= kMostForks;
}

}  // namespace

int main(int argc, char** argv) {
  Py_InitializeEx(0);
  if (!import_all(argc - 1, argv + 1)) return 1;
  puts("ready");
  fflush(stdout);
  std::array<char, 32> line{};
  std::string heap;
  while (fgets(line.data(), static_cast<int>(line.size()), stdin) != nullptr) {
    Order order;
    if (!parse(line.data(), order)) return 2;
    if (order.heap_mb >= 0) {
      heap = std::string(static_cast<size_t>(order.heap_mb) * kMegabyte, 'x');  // every page is written
      puts("0");
    } else {
      for (long i = 0; i < order.count; ++i) printf("%.9g ", measure_once(order.what));
      puts("");
    }
    fflush(stdout);
  }
  return 0;
}

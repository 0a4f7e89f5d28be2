#include "worker/interpreter/module.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>

#include "protocol/limits.h"
#include "worker/interpreter/py_ref.h"
#include "worker/memory_reserve.h"

namespace capsule::interpreter {
namespace {

Host* g_host = nullptr;

void lose_host_in_child() {
  if (g_host != nullptr) g_host->forget_in_child();
  g_host = nullptr;
}

bool bundle_from(PyObject* dict, Bundle& bundle) {
  PyObject *key = nullptr, *value = nullptr;
  Py_ssize_t at = 0;
  size_t total = 0;
  while (PyDict_Next(dict, &at, &key, &value)) {
    const char* type = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : nullptr;
    if (type == nullptr || !PyBytes_Check(value)) {
      PyErr_SetString(PyExc_TypeError, "a bundle maps str to bytes");
      return false;
    }
    total += static_cast<size_t>(PyBytes_GET_SIZE(value));
    if (total > limits::kBundleBytes || bundle.size() >= limits::kMapEntries) {
      PyErr_SetString(PyExc_ValueError, "the bundle is too large");
      return false;
    }
    bundle[type].value.assign(PyBytes_AS_STRING(value), static_cast<size_t>(PyBytes_GET_SIZE(value)));
  }
  return true;
}

PyObject* raise(const Status& status) {
  if (status) Py_RETURN_NONE;
  PyErr_SetString(PyExc_RuntimeError, status.error().message.c_str());
  return nullptr;
}

Status no_host() { return failure(Errc::kClosed, "this process is not connected to Capsule (a forked child?)"); }

PyObject* send_display(PyObject*, PyObject* args) {
  const char *run_id = nullptr, *display_id = nullptr, *metadata = nullptr;
  int update = 0;
  PyObject* data = nullptr;
  if (!PyArg_ParseTuple(args, "sspO!s", &run_id, &display_id, &update, &PyDict_Type, &data, &metadata)) return nullptr;
  Display display;
  display.run_id = run_id;
  display.display_id = display_id;
  display.update = update != 0;
  display.metadata_json = metadata;
  if (!bundle_from(data, display.data)) return nullptr;
  if (g_host == nullptr) return raise(no_host());
  Status sent;
  {
    const WithoutGil released;
    sent = g_host->send_and_wait(std::move(display));
  }
  return raise(sent);
}

PyObject* send_result(PyObject*, PyObject* args) {
  const char *run_id = nullptr, *metadata = nullptr;
  unsigned long long count = 0;
  PyObject* data = nullptr;
  if (!PyArg_ParseTuple(args, "sKO!s", &run_id, &count, &PyDict_Type, &data, &metadata)) return nullptr;
  ResultValue result;
  result.run_id = run_id;
  result.execution_count = count;
  result.metadata_json = metadata;
  if (!bundle_from(data, result.data)) return nullptr;
  if (g_host == nullptr) return raise(no_host());
  Status sent;
  {
    const WithoutGil released;
    sent = g_host->send(result);
  }
  return raise(sent);
}

PyObject* send_metric(PyObject*, PyObject* args) {
  const char *run_id = nullptr, *name = nullptr, *kind = nullptr;
  double value = 0;
  PyObject* labels = nullptr;
  if (!PyArg_ParseTuple(args, "sssdO!", &run_id, &name, &kind, &value, &PyDict_Type, &labels)) return nullptr;
  Metric metric{run_id, name, kind, value, {}};
  PyObject *key = nullptr, *text = nullptr;
  Py_ssize_t at = 0;
  while (PyDict_Next(labels, &at, &key, &text)) {
    const char* label = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : nullptr;
    const char* of_label = PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : nullptr;
    if (label == nullptr || of_label == nullptr) {
      if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "labels map str to str");
      return nullptr;
    }
    metric.labels[label] = of_label;
  }
  if (g_host == nullptr) return raise(no_host());
  Status sent;
  {
    const WithoutGil released;
    sent = g_host->send(metric);
  }
  return raise(sent);
}

PyObject* cancelled_run(PyObject*, PyObject*) {
  return PyUnicode_FromString(g_host != nullptr ? g_host->cancelled_run().c_str() : "");
}

PyObject* flush_c(PyObject*, PyObject*) {
  std::fflush(nullptr);
  Py_RETURN_NONE;
}

PyObject* open_memory_reserve(PyObject*, PyObject*) {
  memory_reserve::open(memory_reserve::Why::kNeed);
  Py_RETURN_NONE;
}

PyObject* close_memory_reserve(PyObject*, PyObject*) {
  memory_reserve::close();
  Py_RETURN_NONE;
}

// Whether 0, 1 and 2 are open. After every run, hence in C.
PyObject* has_standard_descriptors(PyObject*, PyObject*) {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) < 0) Py_RETURN_FALSE;
  }
  Py_RETURN_TRUE;
}

PyMethodDef g_methods[] = {
    {"send_display", send_display, METH_VARARGS, nullptr},
    {"send_result", send_result, METH_VARARGS, nullptr},
    {"send_metric", send_metric, METH_VARARGS, nullptr},
    {"cancelled_run", cancelled_run, METH_NOARGS, nullptr},
    {"flush_c", flush_c, METH_NOARGS, nullptr},
    {"close_memory_reserve", close_memory_reserve, METH_NOARGS, nullptr},
    {"open_memory_reserve", open_memory_reserve, METH_NOARGS, nullptr},
    {"has_standard_descriptors", has_standard_descriptors, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef g_module = {PyModuleDef_HEAD_INIT, "_capsule", nullptr, -1, g_methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyObject* init_module() {
  PyObject* module = PyModule_Create(&g_module);
  if (module == nullptr) return nullptr;
  PyModule_AddIntConstant(module, "BUNDLE_BYTES", static_cast<long>(limits::kBundleBytes));
  PyModule_AddIntConstant(module, "TRACEBACK_BYTES", static_cast<long>(limits::kTracebackBytes));
  PyModule_AddIntConstant(module, "STACK_BYTES", static_cast<long>(limits::kStackBytes));
  PyModule_AddIntConstant(module, "METRIC_NAME_BYTES", static_cast<long>(limits::kMetricNameBytes));
  PyModule_AddIntConstant(module, "METRIC_LABELS", static_cast<long>(limits::kMetricLabels));
  PyModule_AddIntConstant(module, "METRIC_LABEL_BYTES", static_cast<long>(limits::kMetricLabelBytes));
  return module;
}

void set_host(Host& host) {
  g_host = &host;
  pthread_atfork(nullptr, nullptr, lose_host_in_child);
}

}  // namespace capsule::interpreter

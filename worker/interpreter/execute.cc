// One run: request to Python dict, result dict to Finished. Whatever Python returns is checked, never trusted.
#include <string>

#include "base/utf8.h"
#include "protocol/limits.h"
#include "worker/interpreter/interpreter.h"
#include "worker/interpreter/py_ref.h"

namespace capsule::interpreter {
namespace {

PyRef text_object(const std::string& text) {
  return PyRef(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

bool put(const PyRef& dict, const char* key, PyRef value) {
  return value && PyDict_SetItemString(dict.get(), key, value.get()) == 0;
}

PyRef request_object(const Execute& request) {
  PyRef arguments(PyList_New(0));
  for (const std::string& argument : request.arguments) {
    const PyRef text = text_object(argument);
    if (!arguments || !text || PyList_Append(arguments.get(), text.get()) != 0) return {};
  }
  PyRef environment(PyDict_New());
  for (const auto& [name, value] : request.environment) {
    if (!environment || !put(environment, name.c_str(), text_object(value))) return {};
  }
  PyRef dict(PyDict_New());
  const auto& code = request.code.value;
  const bool good =
      dict && put(dict, "run_id", text_object(request.run_id)) && put(dict, "mode", text_object(request.mode)) &&
      put(dict, "session", PyRef(PyBool_FromLong(!request.session.empty()))) &&
      put(dict, "code", PyRef(PyBytes_FromStringAndSize(code.data(), static_cast<Py_ssize_t>(code.size())))) &&
      put(dict, "filename", text_object(request.filename)) && put(dict, "arguments", std::move(arguments)) &&
      put(dict, "environment", std::move(environment)) &&
      put(dict, "standard_input", PyRef(PyBool_FromLong(request.standard_input)));
  return good ? std::move(dict) : PyRef();
}

PyObject* item(PyObject* dict, const char* key) { return PyDict_GetItemString(dict, key); }

std::string text_of(PyObject* object) {
  if (object == nullptr || !PyUnicode_Check(object)) return {};
  const PyRef bytes(PyUnicode_AsEncodedString(object, "utf-8", "backslashreplace"));
  if (!bytes) {
    PyErr_Clear();
    return {};
  }
  return {PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))};
}

int64_t number_of(PyObject* object) {
  if (object == nullptr || !PyLong_Check(object)) return 0;
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  return overflow == 0 ? value : 0;
}

RaisedError error_of(PyObject* dict) {
  RaisedError error;
  error.name = text_of(item(dict, "name"));
  error.value = text_of(item(dict, "value"));
  PyObject* lines = item(dict, "traceback");
  if (lines == nullptr || !PyList_Check(lines)) return error;
  const Py_ssize_t count = std::min<Py_ssize_t>(PyList_GET_SIZE(lines), limits::kArrayEntries);
  size_t bytes = 0;
  for (Py_ssize_t i = 0; i < count && bytes < limits::kTracebackBytes * 2; ++i) {
    error.traceback.push_back(text_of(PyList_GET_ITEM(lines, i)));
    bytes += error.traceback.back().size();
  }
  return error;
}

Finished finished_from(PyObject* result) {
  Finished finished;
  const auto verdict = verdict_from_string(text_of(item(result, "verdict")));
  finished.verdict = verdict.value_or(Verdict::kInternalError);
  finished.exit_status = static_cast<int32_t>(number_of(item(result, "exit_status")) & 0xFF);
  PyObject* error = item(result, "error");
  if (error != nullptr && PyDict_Check(error)) finished.error = error_of(error);
  finished.evidence.namespace_names =
      static_cast<uint64_t>(std::max<int64_t>(0, number_of(item(result, "namespace_names"))));
  finished.evidence.late_interrupts =
      static_cast<uint64_t>(std::max<int64_t>(0, number_of(item(result, "late_interrupts"))));
  finished.evidence.left_threads =
      static_cast<uint32_t>(std::clamp<int64_t>(number_of(item(result, "left_threads")), 0, 1 << 20));
  finished.evidence.stack.value = text_of(item(result, "stack")).substr(0, limits::kStackBytes);
  finished.evidence.blocking_calls =
      static_cast<uint32_t>(std::clamp<int64_t>(number_of(item(result, "blocking_calls")), 0, 1 << 30));
  PyObject* awaited = item(result, "awaited");
  finished.evidence.awaited = awaited == Py_True;
  return finished;
}

Finished broken(const Execute& request, const std::string& why) {
  Finished finished;
  finished.run_id = request.run_id;
  finished.verdict = Verdict::kInternalError;
  finished.evidence.detail = replace_invalid_utf8(why);
  return finished;
}

}  // namespace

Finished execute(const Execute& request) {
  run_due_handlers();
  PyRef argument = request_object(request);
  if (!argument) return broken(request, take_exception());
  const PyRef result(PyObject_CallMethod(helpers().at("_capsule_run"), "execute", "(O)", argument.get()));
  if (!result) return broken(request, take_exception());
  if (!PyDict_Check(result.get())) return broken(request, "the runner returned no result");
  Finished finished = finished_from(result.get());
  finished.run_id = request.run_id;
  return finished;
}

}  // namespace capsule::interpreter

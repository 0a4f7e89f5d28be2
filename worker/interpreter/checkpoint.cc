#include "worker/interpreter/checkpoint.h"

#include "worker/interpreter/py_ref.h"

namespace capsule::interpreter {
namespace {

PyRef text_object(const std::string& text) {
  return PyRef(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

PyRef dict_of(const std::map<std::string, std::string>& texts) {
  PyRef dict(PyDict_New());
  for (const auto& [key, value] : texts) {
    const PyRef key_object = text_object(key), value_object = text_object(value);
    if (!dict || !key_object || !value_object) return {};
    if (PyDict_SetItem(dict.get(), key_object.get(), value_object.get()) != 0) return {};
  }
  return dict;
}

}  // namespace

Status save_namespace(int fd, const SaveOptions& options) {
  const PyRef leave_out = dict_of(options.leave_out);
  if (!leave_out) return failure(Errc::kSystem, take_exception());
  const PyRef done(PyObject_CallMethod(helpers().at("_capsule_checkpoint"), "save_session", "(iOddK)", fd,
                                       leave_out.get(), to_seconds(options.timeout), to_seconds(options.stall_timeout),
                                       static_cast<unsigned long long>(options.bytes_max)));
  if (!done) return failure(Errc::kSystem, take_exception());
  return {};
}

Result<std::string> load_namespace(int fd) {
  const PyRef report(PyObject_CallMethod(helpers().at("_capsule_restore"), "load_session", "(i)", fd));
  if (!report) return failure(Errc::kSystem, take_exception());
  if (!PyBytes_Check(report.get())) return failure(Errc::kSystem, "the restore gave no report");
  return std::string(PyBytes_AS_STRING(report.get()), static_cast<size_t>(PyBytes_GET_SIZE(report.get())));
}

}  // namespace capsule::interpreter

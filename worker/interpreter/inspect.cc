#include "worker/interpreter/inspect.h"

#include "worker/interpreter/interpreter.h"
#include "worker/interpreter/py_ref.h"

namespace capsule::interpreter {

Result<std::string> inspect_namespace(Names names) {
  run_due_handlers();
  const int collected_before = PyGC_Disable();  // it would run finalisers
  const PyRef told(PyObject_CallMethod(helpers().at("_capsule_inspect"), "inspect_session", "(O)",
                                       names == Names::kHashed ? Py_True : Py_False));
  if (collected_before != 0) PyGC_Enable();
  if (!told) return failure(Errc::kSystem, take_exception());
  if (!PyBytes_Check(told.get())) return failure(Errc::kSystem, "nothing was told of the namespace");
  return std::string(PyBytes_AS_STRING(told.get()), static_cast<size_t>(PyBytes_GET_SIZE(told.get())));
}

}  // namespace capsule::interpreter

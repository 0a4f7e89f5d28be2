// The builtin module `_capsule`: what the embedded Python asks of the process around it.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "worker/interpreter/interpreter.h"

namespace capsule::interpreter {

PyObject* init_module();
void set_host(Host& host);  // not owned; lives as long as the worker

}  // namespace capsule::interpreter

#include "worker/interpreter/interpreter.h"

#include <malloc.h>

#include <clocale>
#include <map>

#include "worker/embedded_python.h"
#include "worker/interpreter/arenas.h"
#include "worker/interpreter/module.h"
#include "worker/interpreter/py_ref.h"

namespace capsule::interpreter {
namespace {

// Debian's interpreter: sys.executable, and with it the search path that sees numpy and pandas from apt.
constexpr const wchar_t* kProgramName = L"/usr/bin/python3";
constexpr int kDueHandlers = 64;  // as there are signals; one whose timer goes off again meanwhile is left to its run

Status run_statement(const char* code) {
  if (PyRun_SimpleString(code) == 0) return {};
  return failure(Errc::kSystem, std::string("python failed: ") + code);
}

// The helpers look builtins up in a copy of their own: a program that deletes or replaces `len` breaks itself, not
// them.
Status give_own_builtins(const char* name) {
  PyObject* module = PyImport_AddModule(name);  // borrowed
  const PyRef builtins(PyDict_Copy(PyEval_GetBuiltins()));
  if (module == nullptr || !builtins) return failure(Errc::kSystem, take_exception());
  if (PyDict_SetItemString(PyModule_GetDict(module), "__builtins__", builtins.get()) != 0) {
    return failure(Errc::kSystem, take_exception());
  }
  return {};
}

Status load_embedded() {
  for (const EmbeddedModule& module : kEmbeddedModules) {
    const std::string file = std::string("<") + module.name + ">";
    if (auto given = give_own_builtins(module.name); !given) return given;
    const PyRef code(Py_CompileString(module.source, file.c_str(), Py_file_input));
    if (!code) return failure(Errc::kSystem, std::string(module.name) + ": " + take_exception());
    PyRef loaded(PyImport_ExecCodeModuleEx(module.name, code.get(), file.c_str()));
    if (!loaded) return failure(Errc::kSystem, std::string(module.name) + ": " + take_exception());
    // Kept for good: a program may empty sys.modules.
    helpers().emplace(module.name, loaded.get());
    (void)loaded.release();
  }
  return {};
}

Result<PyRef> call(const char* module, const char* function) {
  const auto found = helpers().find(module);
  if (found == helpers().end()) return failure(Errc::kSystem, std::string("there is no helper ") + module);
  PyRef result(PyObject_CallMethod(found->second, function, nullptr));
  if (!result) return failure(Errc::kSystem, std::string(module) + "." + function + ": " + take_exception());
  return result;
}

Status call_for_effect(const char* module, const char* function) {
  auto result = call(module, function);
  if (!result) return tl::unexpected<Error>(result.error());
  return {};
}

}  // namespace

std::map<std::string, PyObject*>& helpers() {
  static std::map<std::string, PyObject*> modules;
  return modules;
}

std::string take_exception() {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  if (type == nullptr) return "no exception";
  PyErr_NormalizeException(&type, &value, &trace);
  const PyRef owned_type(type), owned_value(value), owned_trace(trace);
  std::string text = reinterpret_cast<PyTypeObject*>(type)->tp_name;
  const PyRef printed(value != nullptr ? PyObject_Str(value) : nullptr);
  const char* utf8 = printed ? PyUnicode_AsUTF8(printed.get()) : nullptr;
  if (utf8 != nullptr) text += std::string(": ") + utf8;
  PyErr_Clear();
  return text;
}

namespace {

// Before the system's own packages and after the standard library, as a virtual environment has it.
Status add_packages(const std::vector<std::string>& directories) {
  PyObject* path = PySys_GetObject("path");  // borrowed
  if (path == nullptr || !PyList_Check(path)) return failure(Errc::kSystem, "python has no sys.path");
  Py_ssize_t at = 0;
  for (; at < PyList_GET_SIZE(path); ++at) {
    const char* entry = PyUnicode_AsUTF8(PyList_GET_ITEM(path, at));
    if (entry != nullptr && std::string_view(entry).find("-packages") != std::string_view::npos) break;
  }
  for (const std::string& directory : directories) {
    const PyRef text(PyUnicode_DecodeFSDefault(directory.c_str()));
    if (!text || PyList_Insert(path, at++, text.get()) != 0) return failure(Errc::kSystem, take_exception());
  }
  return {};
}

}  // namespace

Status start(const std::vector<std::string>& packages) {
  if (PyImport_AppendInittab("_capsule", &init_module) != 0) return failure(Errc::kSystem, "no memory for python");
  // As python3 does with LANG=C.UTF-8, which is what programs find in their environment. The isolated configuration
  // leaves the locale as it is, and with a zygote's empty environment that is C: names of files would be ASCII only.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  gather_arenas();
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config.install_signal_handlers = 1;  // as python3 does: SIGPIPE and SIGXFSZ become errors, not deaths
  config.site_import = 1;              // dist-packages
  config.write_bytecode = 0;
  PyStatus status = PyConfig_SetString(&config, &config.program_name, kProgramName);
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  if (PyStatus_Exception(status)) {
    return failure(Errc::kSystem, std::string("python does not start: ") + (status.err_msg ? status.err_msg : "?"));
  }
  // A collection in the zygote would leave holes that children then fill, page by page.
  if (auto off = run_statement("import gc; gc.disable()"); !off) return off;
  if (auto added = add_packages(packages); !added) return added;
  return load_embedded();
}

Status preload(const std::vector<std::string>& modules) {
  for (const std::string& name : modules) {
    const PyRef module(PyImport_ImportModule(name.c_str()));
    if (!module) return failure(Errc::kUnavailable, "cannot preload '" + name + "': " + take_exception());
  }
  return {};
}

Status settle() {
  if (auto warm = call_for_effect("_capsule_run", "warm_up"); !warm) return warm;
  // The stream objects are made once, for all workers: they stand for descriptors 0-2, whatever those are by then.
  if (auto streams = call_for_effect("_capsule_streams", "install"); !streams) return streams;
  if (auto frozen = run_statement("import gc; gc.collect(); gc.freeze()"); !frozen) return frozen;
  malloc_trim(0);
  stop_gathering_arenas();
  return {};
}

void before_fork() { PyOS_BeforeFork(); }
void after_fork_in_parent() { PyOS_AfterFork_Parent(); }
void after_fork_in_child() { PyOS_AfterFork_Child(); }

Status become_worker(Host& host, Rehearsal rehearsal) {
  set_host(host);
  if (auto fresh = call_for_effect("_capsule_fresh", "after_fork"); !fresh) return fresh;
  if (auto interrupt = call_for_effect("_capsule_interrupt", "install"); !interrupt) return interrupt;
  return rehearsal == Rehearsal::kSkip ? Status() : call_for_effect("_capsule_run", "warm_up");
}

std::string thread_names() {
  const auto names = call("_capsule_fresh", "thread_names");
  const char* text = names && PyUnicode_Check(names->get()) ? PyUnicode_AsUTF8(names->get()) : nullptr;
  if (text == nullptr) PyErr_Clear();
  return text != nullptr ? text : "unknown";
}

void run_due_handlers() {
  for (int calls = 0; calls < kDueHandlers && PyErr_CheckSignals() != 0; ++calls) PyErr_Clear();
}

Status wake_up(Randomness randomness) {
  run_due_handlers();
  return call_for_effect("_capsule_fresh", randomness == Randomness::kNew ? "after_branch" : "after_rollback");
}

bool healthy() {
  const auto answer = call("_capsule_run", "healthy");
  return answer && PyObject_IsTrue(answer->get()) == 1;
}

// Exported by libpython for faulthandler, declared in an internal header only (Include/internal/pycore_traceback.h).
extern "C" const char* _Py_DumpTracebackThreads(int fd, PyInterpreterState* interpreter, PyThreadState* current);

void dump_stacks(int fd) {
  (void)_Py_DumpTracebackThreads(fd, PyInterpreterState_Main(), PyGILState_GetThisThreadState());
}

std::string version() {
  const std::string_view full = Py_GetVersion();
  return std::string(full.substr(0, full.find(' ')));
}

WithoutGil::WithoutGil() : state_(PyEval_SaveThread()) {}
WithoutGil::~WithoutGil() { PyEval_RestoreThread(static_cast<PyThreadState*>(state_)); }

}  // namespace capsule::interpreter

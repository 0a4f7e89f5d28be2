// The names of Python's own exceptions (3.11, `builtins`). Those of a program's own making are a part of its code.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace capsule {

inline constexpr std::array<std::string_view, 69> kBuiltinErrors{"ArithmeticError",
                                                                 "AssertionError",
                                                                 "AttributeError",
                                                                 "BaseException",
                                                                 "BaseExceptionGroup",
                                                                 "BlockingIOError",
                                                                 "BrokenPipeError",
                                                                 "BufferError",
                                                                 "BytesWarning",
                                                                 "ChildProcessError",
                                                                 "ConnectionAbortedError",
                                                                 "ConnectionError",
                                                                 "ConnectionRefusedError",
                                                                 "ConnectionResetError",
                                                                 "DeprecationWarning",
                                                                 "EOFError",
                                                                 "EncodingWarning",
                                                                 "EnvironmentError",
                                                                 "Exception",
                                                                 "ExceptionGroup",
                                                                 "FileExistsError",
                                                                 "FileNotFoundError",
                                                                 "FloatingPointError",
                                                                 "FutureWarning",
                                                                 "GeneratorExit",
                                                                 "IOError",
                                                                 "ImportError",
                                                                 "ImportWarning",
                                                                 "IndentationError",
                                                                 "IndexError",
                                                                 "InterruptedError",
                                                                 "IsADirectoryError",
                                                                 "KeyError",
                                                                 "KeyboardInterrupt",
                                                                 "LookupError",
                                                                 "MemoryError",
                                                                 "ModuleNotFoundError",
                                                                 "NameError",
                                                                 "NotADirectoryError",
                                                                 "NotImplementedError",
                                                                 "OSError",
                                                                 "OverflowError",
                                                                 "PendingDeprecationWarning",
                                                                 "PermissionError",
                                                                 "ProcessLookupError",
                                                                 "RecursionError",
                                                                 "ReferenceError",
                                                                 "ResourceWarning",
                                                                 "RuntimeError",
                                                                 "RuntimeWarning",
                                                                 "StopAsyncIteration",
                                                                 "StopIteration",
                                                                 "SyntaxError",
                                                                 "SyntaxWarning",
                                                                 "SystemError",
                                                                 "SystemExit",
                                                                 "TabError",
                                                                 "TimeoutError",
                                                                 "TypeError",
                                                                 "UnboundLocalError",
                                                                 "UnicodeDecodeError",
                                                                 "UnicodeEncodeError",
                                                                 "UnicodeError",
                                                                 "UnicodeTranslateError",
                                                                 "UnicodeWarning",
                                                                 "UserWarning",
                                                                 "ValueError",
                                                                 "Warning",
                                                                 "ZeroDivisionError"};

inline bool is_builtin_error(std::string_view name) {
  return std::find(kBuiltinErrors.begin(), kBuiltinErrors.end(), name) != kBuiltinErrors.end();
}

}  // namespace capsule

// What the command itself has to say goes to stderr, apart from what programs print.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule::cli {

enum class Format { kText, kJson };

// "capsule: <text>" on stderr. Control characters are escaped: part of it may be a program's.
void note(std::string_view text);

// The same for an error; with kJson one line {"v":1,"error":{"code","message"}}. Returns kExitUnavailable.
int report(const Error& error, Format format);

// Writes all of a finished answer to stdout. Returns kExitOk, kExitOutputClosed when
// nobody reads, kExitUnavailable when it cannot be written.
int print(std::string_view text);

}  // namespace capsule::cli

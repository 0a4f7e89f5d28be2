// Reads one file of an audit log through a check. For the manager when it starts, and for `capsule audit verify`.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/audit_chain.h"

namespace capsule {

struct AuditFileEnd {
  uint64_t whole_bytes = 0;  // of complete lines
  uint64_t torn_bytes = 0;   // after the last newline: a line that was never finished
};

// kSystem, kNotFound: the file cannot be read; kInvalid: what the check says, or a line beyond kAuditLineBytes.
Result<AuditFileEnd> check_audit_file(const std::string& path, AuditCheck& check);

}  // namespace capsule

// Makes the index of runs again, from what their directories say of them (run-info.yaml).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "manager/storage/record_index.h"

namespace capsule {

// All below `runs`, in one transaction; how many there were. A directory that says nothing that can be read is left
// out.
Result<uint64_t> index_folders(RecordIndex& index, int runs);

}  // namespace capsule

// `--artifacts DIR`: fetches what a run wrote, once it has ended.
#pragma once

#include <string>
#include <vector>

#include "cli/client.h"
#include "cli/file_transfer.h"

namespace capsule::cli {

struct Artifact {
  std::string path;
  uint64_t bytes = 0;
  std::string skipped;  // why it was not fetched; empty when it was
};

struct Artifacts {
  std::vector<Artifact> files;
  std::string incomplete;  // why there may be more; empty: there are not
};

// Everything the listing has, below `directory`. A file that cannot be fetched or written is skipped with its reason;
// the error is for what ends it all.
Result<Artifacts> fetch_tree(Client& client, const FileOrigin& origin, const std::string& path,
                             const std::string& directory);

// {"files":[{"path","bytes"}],"skipped":[{"path","reason"}],"incomplete"}; paths as text, invalid bytes replaced.
std::string artifacts_json(const Artifacts& artifacts);

// One sentence for each that was skipped, and one for all. On stderr.
void note_artifacts(const Artifacts& artifacts, const std::string& directory);

}  // namespace capsule::cli

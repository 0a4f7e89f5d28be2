#include "cli/artifacts.h"

#include "base/bytes.h"
#include "cli/report.h"
#include "cli/run_json.h"
#include "cli/save_tree.h"

namespace capsule::cli {
namespace {

constexpr size_t kNotedSkips = 20;

// Every answer is checked against the place it goes to, here; so one bad file does not cost the others.
std::string fetch_one(Client& client, const FileOrigin& origin, const std::string& path, const std::string& saved_as,
                      SaveTree& tree, uint64_t& bytes) {
  const Status saved = tree.save(saved_as, [&](int fd) -> Result<bool> {
    const auto read = read_file_into(client, origin, path, fd);
    if (!read) return tl::unexpected<Error>(read.error());
    bytes = read->bytes;
    return read->executable;
  });
  return saved ? std::string() : saved.error().message;
}

}  // namespace

Result<Artifacts> fetch_tree(Client& client, const FileOrigin& origin, const std::string& path,
                             const std::string& directory) {
  auto tree = SaveTree::open(directory);
  if (!tree) return tl::unexpected<Error>(tree.error());
  auto listing = list_files(client, origin, path);
  if (!listing) return tl::unexpected<Error>(listing.error());
  Artifacts artifacts;
  artifacts.incomplete = std::move(listing->incomplete);
  for (const FileEntry& entry : listing->entries) {
    const std::string& name = entry.path.value;
    Artifact artifact{name, entry.bytes, entry.skipped};
    const bool is_below = path.empty() || name.starts_with(path + "/");
    if (artifact.skipped.empty() && is_below) {
      const std::string saved_as = path.empty() ? name : name.substr(path.size() + 1);
      artifact.skipped = fetch_one(client, origin, name, saved_as, *tree, artifact.bytes);
    }
    artifacts.files.push_back(std::move(artifact));
  }
  return artifacts;
}

std::string artifacts_json(const Artifacts& artifacts) {
  Json files = Json::array(), skipped = Json::array();
  for (const Artifact& artifact : artifacts.files) {
    Json entry;
    put_text(entry, "path", artifact.path);
    if (artifact.skipped.empty()) {
      entry["bytes"] = artifact.bytes;
      files.push_back(std::move(entry));
    } else {
      entry["reason"] = artifact.skipped;
      skipped.push_back(std::move(entry));
    }
  }
  return Json{{"files", std::move(files)}, {"skipped", std::move(skipped)}, {"incomplete", artifacts.incomplete}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

void note_artifacts(const Artifacts& artifacts, const std::string& directory) {
  size_t saved = 0, skipped = 0;
  uint64_t bytes = 0;
  for (const Artifact& artifact : artifacts.files) {
    if (artifact.skipped.empty()) {
      ++saved;
      bytes += artifact.bytes;
    } else if (++skipped <= kNotedSkips) {
      note("not saved: '" + artifact.path + "': " + artifact.skipped);
    }
  }
  if (skipped > kNotedSkips) note("not saved: " + std::to_string(skipped - kNotedSkips) + " more");
  if (!artifacts.incomplete.empty()) note("there may be more files: " + artifacts.incomplete);
  note("saved " + std::to_string(saved) + (saved == 1 ? " file, " : " files, ") + format_bytes(bytes) + ", in " +
       directory);
}

}  // namespace capsule::cli

// Forks of sessions for people; see render_info.h.
#include <map>
#include <set>

#include "cli/document_fields.h"
#include "cli/render_info.h"

namespace capsule::cli {
namespace {

constexpr int kTreeDepthMax = 64;  // the manager's is less; this ends what a wrong document would make endless

using Children = std::map<std::string, std::vector<const Json*>>;

void add_branch(const Children& children, const std::string& parent, int depth, std::string& text) {
  const auto found = children.find(parent);
  if (found == children.end() || depth > kTreeDepthMax) return;
  for (const Json* session : found->second) {
    const std::string id = text_field(*session, "session");
    text += std::string(static_cast<size_t>(depth) * 2, ' ') + id + "  " + text_field(*session, "state") + "  " +
            text_field(*session, "runs") + " runs  " + bytes_field(*session, "rss_bytes") + "\n";
    add_branch(children, id, depth + 1, text);
  }
}

}  // namespace

// What descends from nobody who lives stands beside those that began by themselves.
Result<std::string> render_session_tree(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  std::set<std::string> there;
  for (const Json& session : list(*document, "sessions")) there.insert(text_field(session, "session"));
  Children children;
  for (const Json& session : list(*document, "sessions")) {
    const std::string parent = text_field(session, "parent");
    children[there.contains(parent) ? parent : std::string()].push_back(&session);
  }
  std::string text;
  add_branch(children, {}, 0, text);
  return text;
}

std::string render_not_captured(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return {};
  std::string text;
  for (const Json& what : list(*document, "not_captured")) {
    if (what.is_string()) text += "not in the fork: " + text_of(what) + "\n";
  }
  return text;
}

Result<std::string> render_forks(std::string_view json) {
  const Result<Json> document = parse_document(json);
  if (!document) return tl::unexpected(document.error());
  std::string text;
  for (const Json& id : list(*document, "forks")) {
    if (id.is_string()) text += text_of(id) + "\n";
  }
  return text;
}

}  // namespace capsule::cli

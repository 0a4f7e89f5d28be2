#include "cli/document_request.h"

#include "base/utf8.h"

namespace capsule::cli {
namespace {

template <class Request>
Result<std::string> ask(Client& client, Request request) {
  request.id = client.next_id();
  Result<Message> answer = client.call(request.id, request);
  if (!answer) return tl::unexpected(answer.error());
  auto* document = std::get_if<Document>(&*answer);
  if (document == nullptr) {
    return failure(Errc::kInvalid, "the manager answered with '" + std::string(type_of(*answer)) + "', not a document");
  }
  std::string text = escape_control_in_json(document->json.value);
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

}  // namespace

Result<std::string> request_document(Client& client, SessionRequest request) { return ask(client, std::move(request)); }
Result<std::string> request_document(Client& client, InfoRequest request) { return ask(client, std::move(request)); }
Result<std::string> request_document(Client& client, RecordRequest request) { return ask(client, std::move(request)); }
Result<std::string> request_document(Client& client, Stack request) { return ask(client, std::move(request)); }
Result<std::string> request_document(Client& client, Inspect request) { return ask(client, std::move(request)); }
Result<std::string> request_document(Client& client, TraceRequest request) { return ask(client, std::move(request)); }

}  // namespace capsule::cli

// Requests that are answered by a JSON document.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/client.h"

namespace capsule::cli {

// The document's text, with a newline at its end. `request` gets its id here.
Result<std::string> request_document(Client& client, SessionRequest request);
Result<std::string> request_document(Client& client, InfoRequest request);
Result<std::string> request_document(Client& client, RecordRequest request);
Result<std::string> request_document(Client& client, Stack request);
Result<std::string> request_document(Client& client, Inspect request);
Result<std::string> request_document(Client& client, TraceRequest request);

}  // namespace capsule::cli

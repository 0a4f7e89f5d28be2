// Parts of a run as JSON values, the same for the final document and for event lines. For .cc files only: it brings
// the JSON library along.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "protocol/message.h"

namespace capsule::cli {

using Json = nlohmann::ordered_json;  // keys in the order they were put: people read these

std::string base64(std::string_view bytes);

// Text types are strings (bad UTF-8 replaced), JSON types are parsed when they can be, everything else is base64.
Json bundle_json(const Bundle& bundle);
Json error_json(const std::optional<RaisedError>& error);  // null or {name, value, traceback}
Json layers_json(const std::vector<Layer>& layers);
Json evidence_json(const Evidence& evidence);
Json usage_json(const Usage& usage);

// `{"<key>": text}` with bad UTF-8 replaced, and `{"<key>_base64"}` beside it when that lost something.
std::string trace_id_of(const std::string& traceparent);  // empty when there is none

void put_text(Json& into, const std::string& key, std::string_view bytes);

// One line; text that is not UTF-8 cannot make it fail.
std::string dump_line(const Json& value);

bool is_text_type(std::string_view mime);
bool is_json_type(std::string_view mime);

}  // namespace capsule::cli

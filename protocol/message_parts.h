// What several messages are made of. Included by message.h.
#pragma once

#include <map>
#include <string>

namespace capsule {

// msgpack `bin`: bytes that are not claimed to be text.
struct Bytes {
  std::string value;
  bool operator==(const Bytes&) const = default;
};

using Bundle = std::map<std::string, Bytes>;  // MIME type -> representation

// One sandbox layer and what is known of it. state: "on", "off", "degraded".
struct Layer {
  std::string name, state, detail;
  bool operator==(const Layer&) const = default;
};

// A directory of the host that programs see read-only.
struct Mount {
  std::string source, target;  // both absolute; `target` as seen inside
  bool operator==(const Mount&) const = default;
};

}  // namespace capsule

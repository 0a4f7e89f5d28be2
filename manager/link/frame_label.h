// Which label a message counts under. Pure.
#pragma once

#include <optional>

#include "manager/observe/labels.h"
#include "protocol/message.h"

namespace capsule {

label::Frame frame_label(const Message& message);
// nullopt: no request of a client.
std::optional<label::Request> request_label(const Message& message);

}  // namespace capsule

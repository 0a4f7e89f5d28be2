#include "manager/link/frame_label.h"

#include <array>
#include <string_view>
#include <utility>

namespace capsule {
namespace {

using label::Frame;
using label::Request;

struct Labels {
  std::string_view type;
  Frame frame;
  std::optional<Request> request = {};
};

// What is not here counts as `other`.
constexpr std::array kLabels{Labels{"execute", Frame::kExecute, Request::kExecute},
                             Labels{"input", Frame::kInput},
                             Labels{"output", Frame::kOutput},
                             Labels{"display", Frame::kDisplay},
                             Labels{"result", Frame::kResult},
                             Labels{"finished", Frame::kFinished},
                             Labels{"heartbeat", Frame::kHeartbeat},
                             Labels{"file_put", Frame::kFile, Request::kFile},
                             Labels{"file_store", Frame::kFile, Request::kFile},
                             Labels{"file_list", Frame::kFile, Request::kFile},
                             Labels{"file_get", Frame::kFile, Request::kFile},
                             Labels{"file_done", Frame::kFile, Request::kFile},
                             Labels{"file_listing", Frame::kFile},
                             Labels{"file_data", Frame::kFile},
                             Labels{"checkpoint_put", Frame::kFile, Request::kCheckpoint},
                             Labels{"prepare", Frame::kProcess},
                             Labels{"branch", Frame::kProcess},
                             Labels{"branched", Frame::kProcess},
                             Labels{"expect", Frame::kProcess},
                             Labels{"snapshot", Frame::kProcess},
                             Labels{"nested", Frame::kProcess},
                             Labels{"wake", Frame::kProcess},
                             Labels{"mapped", Frame::kProcess},
                             Labels{"exited", Frame::kProcess},
                             Labels{"sweep", Frame::kProcess},
                             Labels{"resize", Frame::kProcess},
                             Labels{"checkpoint", Frame::kProcess},
                             Labels{"restore", Frame::kProcess},
                             Labels{"report", Frame::kProcess},
                             Labels{"cancel", Frame::kRequest, Request::kCancel},
                             Labels{"session", Frame::kRequest, Request::kSession},
                             Labels{"info", Frame::kRequest, Request::kInfo},
                             Labels{"record", Frame::kRequest, Request::kRecord},
                             Labels{"trace", Frame::kRequest, Request::kTrace},
                             Labels{"inspect", Frame::kRequest, Request::kInspect},
                             Labels{"stack", Frame::kRequest, Request::kStack},
                             Labels{"tap", Frame::kRequest, Request::kTap},
                             Labels{"ping", Frame::kRequest, Request::kPing},
                             Labels{"accepted", Frame::kAnswer},
                             Labels{"started", Frame::kAnswer},
                             Labels{"credit", Frame::kAnswer},
                             Labels{"document", Frame::kAnswer},
                             Labels{"record_data", Frame::kAnswer},
                             Labels{"tapped", Frame::kAnswer},
                             Labels{"ack", Frame::kAnswer},
                             Labels{"error", Frame::kAnswer}};

constexpr Labels labels_of(std::string_view type) {
  for (const Labels& each : kLabels) {
    if (each.type == type) return each;
  }
  return {type, Frame::kOther};
}

template <size_t... index>
constexpr auto labels_of_all(std::index_sequence<index...>) {
  return std::array{labels_of(std::variant_alternative_t<index, Message>::kType)...};
}

// By Message::index(): every frame is counted.
constexpr auto kByIndex = labels_of_all(std::make_index_sequence<std::variant_size_v<Message>>());

}  // namespace

Frame frame_label(const Message& message) { return kByIndex[message.index()].frame; }
std::optional<Request> request_label(const Message& message) { return kByIndex[message.index()].request; }

}  // namespace capsule

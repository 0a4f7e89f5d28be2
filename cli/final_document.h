// `run --json`: collects a run and writes it as one document at its end.
//
// Bounded: kCapturedBytes of stdout and stderr together and kDisplayBytes of displays are kept; what comes after is
// counted and left out, and the document says how much ("truncated_by_client" in bytes).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/run_view.h"
#include "cli/stdio_writer.h"

namespace capsule::cli {

inline constexpr size_t kCapturedBytes = 64u << 20;
inline constexpr size_t kDisplayBytes = 64u << 20;
inline constexpr size_t kDisplays = 4096;

class FinalDocument final : public RunView {
 public:
  explicit FinalDocument(StdioWriter& stdio, size_t captured_bytes = kCapturedBytes)
      : stdio_(stdio), room_bytes_(captured_bytes) {}

  Status show(const Message& message) override;

 private:
  void capture(const Output& output);
  void capture(const Display& display);
  std::string finished_text(const Finished& finished) const;
  std::string rejected_text(const ErrorReply& refusal) const;

  struct Shown {
    std::string display_id;
    Bundle data;
  };

  StdioWriter& stdio_;
  size_t room_bytes_;
  std::string run_id_;
  std::string stdout_, stderr_;
  uint64_t dropped_bytes_ = 0;
  uint64_t late_bytes_ = 0;
  std::vector<Shown> displays_;
  size_t display_bytes_ = 0;
  uint64_t dropped_displays_ = 0;
  std::optional<Bundle> result_;
};

}  // namespace capsule::cli

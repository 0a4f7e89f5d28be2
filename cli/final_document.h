// `run --json`: collects a run and writes it as one document at its end.
//
// Bounded: kCapturedBytes of stdout and stderr together and kDisplayBytes of displays are kept; what comes after is
// counted and left out, and the document says how much ("truncated_by_client" in bytes).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/profile_layers.h"
#include "cli/run_view.h"
#include "cli/stdio_writer.h"

namespace capsule::cli {

inline constexpr size_t kCapturedBytes = 64u << 20;
inline constexpr size_t kDisplayBytes = 64u << 20;
inline constexpr size_t kDisplays = 4096;

class FinalDocument final : public RunView {
 public:
  enum class Writing { kAtTheEnd, kWhenTold };  // the second: by write(), when there is more to say

  explicit FinalDocument(StdioWriter& stdio, Writing writing = Writing::kAtTheEnd,
                         size_t captured_bytes = kCapturedBytes)
      : stdio_(stdio), writing_(writing), room_bytes_(captured_bytes) {}

  // Becomes a member of the document.
  void name_session(std::string session) { session_ = std::move(session); }
  // For a run that is refused: the refusal has no layers, and its document shall.
  void ask_layers_of(std::function<ProfileLayers()> profile) { profile_layers_ = std::move(profile); }

  Status show(const Message& message) override;
  // What show() kept back; `artifacts_json` becomes a member of it. Nothing when the run did not end.
  Status write(const std::string& artifacts_json);

 private:
  void capture(const Output& output);
  void capture(const Display& display);
  std::string finished_text(const Finished& finished, const std::string& artifacts_json = {},
                            const std::string& layers_missing = {}) const;
  std::string rejected_text(const ErrorReply& refusal) const;

  struct Shown {
    std::string display_id;
    Bundle data;
  };

  StdioWriter& stdio_;
  Writing writing_;
  std::function<ProfileLayers()> profile_layers_;
  std::optional<Finished> kept_;
  size_t room_bytes_;
  std::string run_id_, session_, request_id_, trace_id_;
  std::string stdout_, stderr_;
  uint64_t dropped_bytes_ = 0;
  uint64_t late_bytes_ = 0;
  std::vector<Shown> displays_;
  size_t display_bytes_ = 0;
  uint64_t dropped_displays_ = 0;
  std::optional<Bundle> result_;
};

}  // namespace capsule::cli

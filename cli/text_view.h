// `run` and `exec` for people and pipes: the program's bytes as they come on stdout and stderr, text of displays and
// of the result on stdout, everything Capsule has to say on stderr.
#pragma once

#include <optional>
#include <string>

#include "cli/display_files.h"
#include "cli/run_view.h"
#include "cli/stdio_writer.h"
#include "cli/terminal_text.h"

namespace capsule::cli {

enum class ResultText { kShow, kHide };

struct TextViewOptions {
  ControlCharacters control_characters = ControlCharacters::kAuto;
  ResultText result_text = ResultText::kShow;
};

class TextView final : public RunView {
 public:
  // `files` (or none) is where representations that are not text go.
  TextView(StdioWriter& stdio, TextViewOptions options, std::optional<DisplayFiles> files)
      : stdio_(stdio),
        options_(options),
        files_(std::move(files)),
        out_text_(options.control_characters, stdio.kind_of(Stream::kOut)),
        err_text_(options.control_characters, stdio.kind_of(Stream::kErr)) {}

  Status show(const Message& message) override;

 private:
  Status show_output(const Output& output);
  Status show_bundle(const std::string& run_id, const std::string& label, const Bundle& bundle);
  Status show_finished(const Finished& finished);
  void note_pictures(const Bundle& bundle);
  Status write(Stream stream, std::string_view bytes);
  void say(const std::string& text);

  StdioWriter& stdio_;
  TextViewOptions options_;
  std::optional<DisplayFiles> files_;
  TerminalText out_text_, err_text_;
  uint64_t displays_ = 0;
  uint64_t late_bytes_ = 0;
};

}  // namespace capsule::cli

#include "cli/text_view.h"

#include "base/bytes.h"
#include "base/utf8.h"
#include "cli/render_run.h"

namespace capsule::cli {

Status TextView::show(const Message& message) {
  if (const auto* output = std::get_if<Output>(&message)) return show_output(*output);
  if (const auto* display = std::get_if<Display>(&message)) {
    return show_bundle(display->run_id, std::to_string(++displays_), display->data);
  }
  if (const auto* result = std::get_if<ResultValue>(&message)) {
    if (options_.result_text == ResultText::kHide && !files_) return {};
    return show_bundle(result->run_id, "result", result->data);
  }
  if (const auto* finished = std::get_if<Finished>(&message)) return show_finished(*finished);
  if (const auto* shutdown = std::get_if<Shutdown>(&message)) say("the manager is shutting down: " + shutdown->reason);
  return {};
}

Status TextView::show_output(const Output& output) {
  if (output.late) {
    late_bytes_ += output.data.value.size();
    return {};
  }
  return write(output.stream == 2 ? Stream::kErr : Stream::kOut, output.data.value);
}

Status TextView::show_bundle(const std::string& run_id, const std::string& label, const Bundle& bundle) {
  const bool is_shown = label != "result" || options_.result_text == ResultText::kShow;
  if (const auto plain = bundle.find("text/plain"); plain != bundle.end() && is_shown) {
    if (auto status = write(Stream::kOut, plain->second.value + "\n"); !status) return status;
  }
  if (!files_) {
    note_pictures(bundle);
    return {};
  }
  const auto saved = files_->save(run_id, label, bundle);
  if (!saved) {
    say("cannot save: " + saved.error().message);
    return {};
  }
  for (const std::string& path : *saved) say("saved " + path);
  return {};
}

// Only pictures are worth a line: HTML and the like come with a text/plain that says the same.
void TextView::note_pictures(const Bundle& bundle) {
  for (const auto& [mime, data] : bundle) {
    if (!mime.starts_with("image/")) continue;
    const std::string note = "[" + mime + " " + format_bytes(data.value.size()) + "; use --display-dir DIR to save]\n";
    (void)stdio_.write(Stream::kErr, escape_control(note));
  }
}

Status TextView::show_finished(const Finished& finished) {
  if (auto status = stdio_.write(Stream::kOut, out_text_.finish()); !status) return status;
  (void)stdio_.write(Stream::kErr, err_text_.finish());
  (void)write(Stream::kErr, traceback_text(finished));
  if (late_bytes_ > 0) say(std::to_string(late_bytes_) + " bytes were printed after an earlier run had finished");
  for (const std::string& text : ending_notes(finished)) say(text);
  return {};
}

// Bytes of the program.
Status TextView::write(Stream stream, std::string_view bytes) {
  return stdio_.write(stream, (stream == Stream::kErr ? err_text_ : out_text_).feed(bytes));
}

void TextView::say(const std::string& text) {
  (void)stdio_.write(Stream::kErr, "capsule: " + escape_control(text) + "\n");
}

}  // namespace capsule::cli

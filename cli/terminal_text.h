// Makes a stream of bytes of a program safe to look at, chunk by chunk: a terminal obeys what is printed, so who reads
// it would be at the program's mercy. Control characters other than line ends and tabs become \xNN, colours too (what
// runs in a capsule writes to a pipe, and few programs colour that), and bytes that are not UTF-8 become U+FFFD; a
// character that is cut by the end of a chunk waits for its rest (3 bytes at most).
#pragma once

#include <string>
#include <string_view>

namespace capsule::cli {

enum class ControlCharacters { kAuto, kPass, kEscape };  // kAuto: escaped on a terminal, else passed
enum class OutputKind { kTerminal, kOther };
OutputKind kind_of(int fd);

class TerminalText {
 public:
  TerminalText(ControlCharacters control_characters, OutputKind kind)
      : escapes_(control_characters == ControlCharacters::kEscape ||
                 (control_characters == ControlCharacters::kAuto && kind == OutputKind::kTerminal)) {}

  std::string feed(std::string_view bytes);
  std::string finish();  // what still waits, as it is

 private:
  bool escapes_;
  std::string waiting_;
};

}  // namespace capsule::cli

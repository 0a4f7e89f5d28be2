// `--escape`: makes a stream of bytes safe to look at, chunk by chunk. Control characters become \xNN and bytes that
// are not UTF-8 become U+FFFD; a character that is cut by the end of a chunk waits for its rest (3 bytes at most).
#pragma once

#include <string>
#include <string_view>

namespace capsule::cli {

class TerminalText {
 public:
  std::string feed(std::string_view bytes);
  std::string finish();  // what still waits, as it is

 private:
  std::string waiting_;
};

}  // namespace capsule::cli

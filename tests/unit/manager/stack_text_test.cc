#include "manager/link/stack_text.h"

#include <catch2/catch.hpp>

#include "base/utf8.h"
#include "protocol/limits.h"

using namespace capsule;

TEST_CASE("the program's frames stay, Capsule's own go", "[stack]") {
  const std::string text =
      "Thread 0x00007f01 (most recent call first):\n"
      "  File \"/usr/lib/python3.11/threading.py\", line 320 in wait\n"
      "  File \"<string>\", line 3 in f\n"
      "  File \"<_capsule_run>\", line 160 in _run_program\n"
      "  File \"<_capsule_interrupt>\", line 60 in scope\n"
      "\n";
  CHECK(program_stack(text) ==
        "Thread 0x00007f01 (most recent call first):\n"
        "  File \"/usr/lib/python3.11/threading.py\", line 320 in wait\n"
        "  File \"<string>\", line 3 in f\n");
}

TEST_CASE("source lines go with their frame", "[stack]") {
  const std::string text =
      "MainThread (most recent call first):\n"
      "  File \"<_capsule_run>\", line 1, in x\n"
      "    hidden()\n"
      "  File \"a.py\", line 2, in y\n"
      "    shown()\n";
  CHECK(program_stack(text) == "MainThread (most recent call first):\n  File \"a.py\", line 2, in y\n    shown()\n");
}

TEST_CASE("a thread without frames of the program is left out", "[stack]") {
  CHECK(program_stack("Thread 0x1 (most recent call first):\n  File \"<capsule>\", line 1 in display\n").empty());
  CHECK(program_stack("Thread 0x1 (most recent call first):\n  <no Python frame>\n").empty());
  CHECK(program_stack("").empty());
}

TEST_CASE("whatever a worker sends, the text is bounded and valid", "[stack]") {
  std::string text = "T:\n";
  while (text.size() < 2 * limits::kStackBytes) text += "  File \"\xFF\xFE\", line 1 in \xC3\n";
  const std::string shown = program_stack(text);
  CHECK(shown.size() <= limits::kStackBytes);
  CHECK(is_valid_utf8(shown));
  CHECK(shown.ends_with("...\n"));
}

// The commands of `capsule`, one file each, and what they are given.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace capsule::cli {

struct Invocation {
  std::string socket;                          // --socket before the command; empty: not given
  std::vector<std::string> arguments;          // after the command's name, up to `--`
  std::vector<std::string> program_arguments;  // after `--`
};

// Each returns an exit status.
int serve_command(const Invocation& invocation);
int run_command(const Invocation& invocation);
int session_command(const Invocation& invocation);
int exec_command(const Invocation& invocation);
int cp_command(const Invocation& invocation);
int cancel_command(const Invocation& invocation);
int checkpoints_command(const Invocation& invocation);
int ps_command(const Invocation& invocation);
int logs_command(const Invocation& invocation);
int tap_command(const Invocation& invocation);
int stacks_command(const Invocation& invocation);
int inspect_command(const Invocation& invocation);
int trace_command(const Invocation& invocation);
int doctor_command(const Invocation& invocation);
int audit_command(const Invocation& invocation);
int key_command(const Invocation& invocation);
int info_command(const Invocation& invocation);
int version_command(const Invocation& invocation);

// Finds the command in the command line (without argv[0]) and runs it.
int dispatch(std::vector<std::string> arguments);

// The text of `capsule --help`.
std::string overview_text();

}  // namespace capsule::cli

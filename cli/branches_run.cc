#include "cli/branches_run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/utf8.h"
#include "cli/cancel_signals.h"
#include "cli/connect.h"
#include "cli/document_request.h"
#include "cli/exit_code.h"
#include "cli/final_document.h"
#include "cli/report.h"
#include "cli/text_view.h"

namespace capsule::cli {
namespace {

struct Branch {
  std::string session, code, filename, run_id = {};
  uint64_t request_id = 0;
  std::vector<Message> messages = {};
  size_t bytes = 0, left_out_bytes = 0;
  std::optional<int> exit_status = {};
};

size_t size_of(const Message& message) {
  if (const auto* output = std::get_if<Output>(&message)) return output->data.value.size();
  const Bundle* bundle = nullptr;
  if (const auto* display = std::get_if<Display>(&message)) bundle = &display->data;
  if (const auto* result = std::get_if<ResultValue>(&message)) bundle = &result->data;
  size_t bytes = 0;
  if (bundle == nullptr) return bytes;
  for (const auto& [type, data] : *bundle) bytes += data.value.size();
  return bytes;
}

class BranchRuns {
 public:
  BranchRuns(Client& client, const RunOptions& options, std::vector<Branch> branches, StdioWriter& stdio)
      : client_(client), options_(options), branches_(std::move(branches)), stdio_(stdio) {
    // Now: while the runs are under way, answers are theirs.
    if (options.format != RunFormat::kText) layers_ = ask_profile_layers(client, {}, options.session);
  }

  // Until each has a verdict.
  Status run() {
    for (Branch& branch : branches_) start(branch);
    while (left() > 0) {
      if (auto status = client_.flush(); !status) return status;
      for (;;) {
        Result<std::optional<Message>> message = client_.next();
        if (!message) return tl::unexpected(message.error());
        if (!*message) break;
        if (auto status = take(**message); !status) return status;
      }
      if (left() == 0) break;
      if (auto status = wait(); !status) return status;
    }
    return {};
  }

  bool has_no_reader() const { return has_no_reader_; }

  int exit_status() const {
    const auto is_well = [](const Branch& branch) { return branch.exit_status == kExitOk; };
    if (std::any_of(branches_.begin(), branches_.end(), is_well)) return kExitOk;
    return branches_.front().exit_status.value_or(kExitUnavailable);
  }

 private:
  void start(Branch& branch) {
    Execute request = execute_from(options_);
    request.session = branch.session;
    request.mode = "cell";
    request.filename = branch.filename;
    request.standard_input = false;
    request.code.value = std::move(branch.code);
    request.id = branch.request_id = client_.next_id();
    client_.queue(std::move(request));
  }

  size_t left() const {
    return static_cast<size_t>(
        std::count_if(branches_.begin(), branches_.end(), [](const Branch& branch) { return !branch.exit_status; }));
  }

  Status wait() {
    pollfd watched[] = {{client_.fd(), static_cast<short>(client_.unsent() > 0 ? POLLIN | POLLOUT : POLLIN), 0},
                        {is_cancelled_ ? -1 : stdio_.cancel_fd(), POLLIN, 0}};
    if (poll(watched, std::size(watched), -1) < 0) return errno == EINTR ? Status() : system_failure("poll");
    if (watched[1].revents != 0) cancel();
    return (watched[0].revents & ~POLLOUT) != 0 ? client_.fill() : Status();
  }

  void cancel() {
    is_cancelled_ = true;
    for (const Branch& branch : branches_) {
      if (!branch.run_id.empty() && !branch.exit_status) cancel(branch);
    }
  }

  void cancel(const Branch& branch) { client_.queue(Cancel{.id = client_.next_id(), .run_id = branch.run_id}); }

  Branch* find(const std::string& run_id) {
    const auto found =
        std::find_if(branches_.begin(), branches_.end(), [&](const Branch& branch) { return branch.run_id == run_id; });
    return run_id.empty() || found == branches_.end() ? nullptr : &*found;
  }

  Status take(Message& message) {
    if (auto* accepted = std::get_if<Accepted>(&message)) {
      for (Branch& branch : branches_) {
        if (branch.request_id != accepted->re) continue;
        branch.run_id = accepted->run_id;
        if (is_cancelled_) cancel(branch);
      }
    } else if (auto* refusal = std::get_if<ErrorReply>(&message)) {
      for (Branch& branch : branches_) {
        if (branch.request_id == refusal->re) return end(branch, message, kExitUnavailable);
      }
    } else if (auto* finished = std::get_if<Finished>(&message)) {
      if (Branch* branch = find(finished->run_id)) return end(*branch, message, finished->exit_status);
    } else if (auto* output = std::get_if<Output>(&message)) {
      keep(output->run_id, message);
    } else if (auto* display = std::get_if<Display>(&message)) {
      keep(display->run_id, message);
    } else if (auto* result = std::get_if<ResultValue>(&message)) {
      keep(result->run_id, message);
    }
    return {};
  }

  void keep(const std::string& run_id, Message& message) {
    Branch* branch = find(run_id);
    if (branch == nullptr) return;
    const size_t bytes = size_of(message);
    if (bytes > kBranchBytes - branch->bytes) {
      branch->left_out_bytes += bytes;
      return;
    }
    branch->bytes += bytes;
    branch->messages.push_back(std::move(message));
  }

  Status end(Branch& branch, const Message& last, int exit_status) {
    branch.exit_status = exit_status;
    const std::unique_ptr<RunView> view = make_view(branch);
    if (options_.format == RunFormat::kText) {
      if (auto status = stdio_.write(Stream::kOut, heading(branch, last)); !status) return lose_reader(status);
    }
    for (const Message& message : std::exchange(branch.messages, {})) {
      if (auto status = view->show(message); !status) return lose_reader(status);
    }
    if (branch.left_out_bytes > 0) note(std::to_string(branch.left_out_bytes) + " bytes of it are left out");
    if (const auto* refusal = std::get_if<ErrorReply>(&last);
        refusal != nullptr && options_.format == RunFormat::kText) {
      note(refusal->message);
    }
    const Status shown = view->show(last);
    return shown ? shown : lose_reader(shown);
  }

  Status lose_reader(const Status& why) {
    has_no_reader_ = why.error().code == Errc::kClosed;
    cancel();
    (void)client_.flush();  // a connection that is gone ends the runs as well
    return why;
  }

  std::unique_ptr<RunView> make_view(const Branch& branch) {
    if (options_.format == RunFormat::kText) {
      return std::make_unique<TextView>(stdio_, TextViewOptions{options_.control_characters, result_text_for(options_)},
                                        std::nullopt);
    }
    auto document = std::make_unique<FinalDocument>(stdio_);
    document->name_session(branch.session);
    document->ask_layers_of([this] { return layers_; });
    return document;
  }

  static std::string heading(const Branch& branch, const Message& last) {
    std::string text = "--- " + branch.session;
    if (!branch.filename.empty()) text += " (" + branch.filename + ")";
    const auto* finished = std::get_if<Finished>(&last);
    text += ": " + std::string(finished != nullptr ? to_string(finished->verdict) : to_string(Verdict::kRejected));
    return escape_control(text) + "\n";
  }

  Client& client_;
  const RunOptions& options_;
  std::vector<Branch> branches_;
  StdioWriter& stdio_;
  ProfileLayers layers_;
  bool is_cancelled_ = false, has_no_reader_ = false;
};

Result<std::vector<Branch>> read_codes(const BranchesOptions& options) {
  std::vector<Branch> branches(options.count);
  for (size_t i = 0; i < branches.size(); ++i) {
    if (i > 0 && options.files.size() <= 1) {
      branches[i] = branches[0];
      continue;
    }
    RunOptions one = options.run;
    one.file = options.files.empty() ? "" : options.files[i];
    auto code = read_code(one, STDIN_FILENO);
    if (!code) return tl::unexpected(code.error());
    branches[i].code = std::move(*code);
    branches[i].filename = execute_from(one).filename;
  }
  return branches;
}

Status fork_into(Client& client, const BranchesOptions& options, std::vector<Branch>& branches) {
  SessionRequest request;
  request.operation = "fork";
  request.source = options.run.session;
  request.session = options.name;
  request.count = options.count;
  const auto text = request_document(client, std::move(request));
  if (!text) return tl::unexpected(text.error());
  const auto document = nlohmann::json::parse(*text, nullptr, false);
  const auto forks = document.is_object() ? document.find("forks") : document.end();
  if (!document.is_object() || forks == document.end() || !forks->is_array() || forks->size() != branches.size()) {
    return failure(Errc::kInvalid, "the manager's answer does not name the forks");
  }
  for (size_t i = 0; i < branches.size(); ++i) {
    if (!(*forks)[i].is_string()) return failure(Errc::kInvalid, "the manager's answer does not name the forks");
    branches[i].session = (*forks)[i].get<std::string>();
  }
  return {};
}

void say_how_to_go_on(const BranchesOptions& options, const std::vector<std::string>& forks) {
  std::string names;
  for (const std::string& fork : forks) names += (names.empty() ? "" : ", ") + fork;
  note("the branches stay: " + names + "; `capsule session adopt " + options.run.session + " BRANCH` keeps one, " +
       "`capsule session rm BRANCH...` drops the others");
}

}  // namespace

Status check_branches(const BranchesOptions& options) {
  if (options.count == 0) {
    if (!options.run.session.empty() || !options.name.empty()) {
      return failure(Errc::kInvalid, "--session and --name go with --branches; `capsule exec` runs code in a session");
    }
    if (options.files.size() > 1) return failure(Errc::kInvalid, "one file is run at a time; several with --branches");
    return {};
  }
  if (options.run.session.empty()) return failure(Errc::kInvalid, "--branches forks a session; name it with --session");
  if (options.run.format == RunFormat::kEvents) {
    return failure(Errc::kInvalid, "--branches shows each run at its end; use --json");
  }
  if (!options.run.code && options.files.size() > 1 && options.files.size() != options.count) {
    return failure(Errc::kInvalid, "give one file for all branches, or one for each: " + std::to_string(options.count) +
                                       " branches, " + std::to_string(options.files.size()) + " files");
  }
  if (std::count(options.files.begin(), options.files.end(), "-") > 0 && options.files.size() > 1) {
    return failure(Errc::kInvalid, "standard input can be the code of all branches, not of one of several");
  }
  if (!options.run.files.empty() || !options.run.artifacts_dir.empty() || !options.run.display_dir.empty()) {
    return failure(Errc::kInvalid,
                   "--file, --artifacts and --display-dir are for one run; use `capsule cp` with the branches");
  }
  if (!options.run.profile.empty()) return failure(Errc::kInvalid, "the branches have the profile of their session");
  return {};
}

int run_branches(const BranchesOptions& options) {
  const Format format = options.run.format == RunFormat::kText ? Format::kText : Format::kJson;
  Result<std::vector<Branch>> branches = read_codes(options);
  if (!branches) return report(branches.error(), format);
  Result<Client> client = connect_to_manager(options.run.socket, WhenNobodyListens::kFail);
  if (!client) return report(client.error(), format);
  const Result<CancelSignals> signals = CancelSignals::install();
  if (!signals) return report(signals.error(), format);
  if (auto forked = fork_into(*client, options, *branches); !forked) return report(forked.error(), format);
  std::vector<std::string> forks;
  for (const Branch& branch : *branches) forks.push_back(branch.session);
  StdioWriter stdio(STDOUT_FILENO, STDERR_FILENO, signals->fd());
  BranchRuns runs(*client, options.run, std::move(*branches), stdio);
  const Status ended = runs.run();
  if (format == Format::kText) say_how_to_go_on(options, forks);
  if (runs.has_no_reader()) return kExitOutputClosed;
  if (!ended) return report(ended.error(), format);
  return runs.exit_status();
}

}  // namespace capsule::cli

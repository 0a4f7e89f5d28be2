#include "cli/run_stream.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <stdexcept>

#include "base/posix_io.h"
#include "cli/exit_code.h"
#include "protocol/codec.h"
#include "tests/unit/cli/memory_file.h"
#include "tests/unit/cli/scripted_manager.h"

namespace capsule::cli {
namespace {

// Remembers what it was shown; fails when told to.
class RecordingView final : public RunView {
 public:
  explicit RecordingView(StdioWriter* stdio = nullptr) : stdio_(stdio) {}
  Status show(const Message& message) override {
    types += std::string(type_of(message)) + " ";
    if (const auto* output = std::get_if<Output>(&message)) {
      text += output->data.value;
      if (stdio_ != nullptr) return stdio_->write(Stream::kOut, output->data.value);
    }
    return {};
  }
  std::string types, text;

 private:
  StdioWriter* stdio_;
};

Output output(const std::string& run_id, const std::string& data) {
  return Output{.run_id = run_id, .stream = 1, .data = {data}};
}
Finished finished(const std::string& run_id, int status) {
  return Finished{.run_id = run_id, .verdict = Verdict::kExit, .exit_status = status};
}
Execute script(bool standard_input) { return Execute{.code = {"pass"}, .standard_input = standard_input}; }

struct Fixture {
  MemoryFile out, err;
  StdioWriter stdio{out.fd(), err.fd(), -1};
  RecordingView view;
};

}  // namespace

TEST_CASE("a run is shown in order and its exit status taken as it is", "[cli]") {
  Fixture f;
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  manager.send(Started{.run_id = "r1"});
  manager.send(output("r1", "hello"));
  manager.send(ResultValue{.run_id = "r1"});
  manager.send(finished("r1", 7));
  const RunEnd end = run_stream(client, script(false), -1, f.view, f.stdio);
  CHECK(end.exit_status == 7);
  CHECK_FALSE(end.problem);
  CHECK(f.view.types == "accepted started output result finished ");
  CHECK(f.view.text == "hello");
  CHECK(manager.expect<Execute>().code.value == "pass");
}

TEST_CASE("messages about other runs are not shown, late output is", "[cli]") {
  Fixture f;
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  manager.send(output("other", "x"));
  manager.send(finished("other", 3));
  Output late = output("before", "late");
  late.late = true;
  manager.send(late);
  manager.send(finished("r1", 0));
  CHECK(run_stream(client, script(false), -1, f.view, f.stdio).exit_status == 0);
  CHECK(f.view.text == "late");
  CHECK(f.view.types == "accepted output finished ");
}

TEST_CASE("a refused run ends with 125 and the reason", "[cli]") {
  Fixture f;
  auto [client, manager] = make_connection();
  manager.send(ErrorReply{.re = 1, .code = "unavailable", .message = "the queue is full"});
  const RunEnd end = run_stream(client, script(false), -1, f.view, f.stdio);
  CHECK(end.exit_status == kExitUnavailable);
  REQUIRE(end.problem);
  CHECK(end.problem->message == "the queue is full");
  CHECK(f.view.types == "error ");
}

TEST_CASE("a manager that goes away leaves the end unknown", "[cli]") {
  Fixture f;
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  manager.send(output("r1", "partial"));
  manager.close();
  const RunEnd end = run_stream(client, script(false), -1, f.view, f.stdio);
  CHECK(end.exit_status == kExitUnavailable);
  REQUIRE(end.problem);
  CHECK(end.problem->message == "the manager went away; the run's end is unknown");
  CHECK(f.view.text == "partial");
}

TEST_CASE("a frame cut short by the manager's death is no verdict", "[cli]") {
  Fixture f;
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  const std::string frame = encode_frame(finished("r1", 0));
  manager.send_raw(std::string_view(frame).substr(0, frame.size() - 1));
  manager.close();
  CHECK(run_stream(client, script(false), -1, f.view, f.stdio).exit_status == kExitUnavailable);
}

TEST_CASE("garbage from the manager ends the run with the reason", "[cli]") {
  Fixture f;
  auto [client, manager] = make_connection();
  manager.send_raw(std::string("\0\0\0\1\xc1", 5));
  const RunEnd end = run_stream(client, script(false), -1, f.view, f.stdio);
  CHECK(end.exit_status == kExitUnavailable);
  CHECK(end.problem);
}

TEST_CASE("input is sent within its credit, goes on with more, and ends", "[cli]") {
  Fixture f;
  const std::string content(limits::kInputWindowBytes + 1000, 'i');
  const MemoryFile input(content);
  auto [client, manager] = make_connection();
  const ScriptedManager peer(std::move(manager), [&](ManagerEnd& end) {
    end.expect<Execute>();
    end.send(Accepted{.re = 1, .run_id = "r1"});
    size_t got = 0;
    while (got < limits::kInputWindowBytes) got += end.expect<Input>().data.value.size();
    end.send(output("r1", got == limits::kInputWindowBytes ? "window" : "too much"));
    end.send(Credit{.run_id = "other", .bytes = 1});
    end.send(Credit{.run_id = "r1", .bytes = 600});
    end.send(output("r1", " " + std::to_string(end.expect<Input>().data.value.size())));
    end.send(Credit{.run_id = "r1", .bytes = 600});
    end.send(output("r1", " " + std::to_string(end.expect<Input>().data.value.size())));
    if (end.expect<Input>().eof) end.send(output("r1", " eof"));
    end.send(finished("r1", 0));
  });
  CHECK(run_stream(client, script(true), input.fd(), f.view, f.stdio).exit_status == 0);
  CHECK(f.view.text == "window 600 400 eof");
}

TEST_CASE("a run that did not ask for input leaves it unread", "[cli]") {
  Fixture f;
  const MemoryFile input("secret");
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  manager.send(finished("r1", 0));
  run_stream(client, script(false), input.fd(), f.view, f.stdio);
  CHECK(lseek(input.fd(), 0, SEEK_CUR) == 0);
}

TEST_CASE("a cancel from before the run was accepted is sent as soon as it can be", "[cli]") {
  Fixture f;
  auto wake = make_pipe();
  REQUIRE(write_all(wake->second.get(), "x"));
  StdioWriter stdio(f.out.fd(), f.err.fd(), wake->first.get());
  auto [client, manager] = make_connection();
  const ScriptedManager peer(std::move(manager), [&](ManagerEnd& end) {
    end.expect<Execute>();
    end.send(Accepted{.re = 1, .run_id = "r1"});
    const auto cancel = end.expect<Cancel>();
    end.send(Ack{.re = cancel.id});
    end.send(output("r1", cancel.run_id));
    end.send(finished("r1", 130));
  });
  CHECK(run_stream(client, script(false), -1, f.view, stdio).exit_status == 130);
  CHECK(f.view.text == "r1");
}

TEST_CASE("a cancel is sent although nobody takes the output", "[cli]") {
  // stdout is a full pipe; the peer reads it only once the cancel has arrived.
  MemoryFile err;
  auto wake = make_pipe();
  auto full = make_pipe();
  REQUIRE(set_nonblocking(full->second.get()));
  const std::string block(65536, '.');
  while (write(full->second.get(), block.data(), block.size()) > 0) continue;
  StdioWriter stdio(full->second.get(), err.fd(), wake->first.get());
  RecordingView view(&stdio);
  auto [client, manager] = make_connection();
  const ScriptedManager peer(std::move(manager), [&](ManagerEnd& end) {
    end.expect<Execute>();
    end.send(Accepted{.re = 1, .run_id = "r1"});
    end.send(output("r1", "more"));
    if (!write_all(wake->second.get(), "x")) throw std::runtime_error("wake");
    end.expect<Cancel>();
    std::string drained(1 << 20, '\0');
    if (read(full->first.get(), drained.data(), drained.size()) <= 0) throw std::runtime_error("drain");
    end.send(finished("r1", 130));
  });
  CHECK(run_stream(client, script(false), -1, view, stdio).exit_status == 130);
}

TEST_CASE("output that nobody reads cancels the run", "[cli]") {
  signal(SIGPIPE, SIG_IGN);
  MemoryFile err;
  auto broken = make_pipe();
  broken->first.reset();
  StdioWriter stdio(broken->second.get(), err.fd(), -1);
  RecordingView view(&stdio);
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  manager.send(output("r1", "x"));
  const RunEnd end = run_stream(client, script(false), -1, view, stdio);
  CHECK(end.exit_status == kExitOutputClosed);
  CHECK_FALSE(end.problem);
  manager.expect<Execute>();
  CHECK(manager.expect<Cancel>().run_id == "r1");
}

TEST_CASE("output that cannot be written cancels the run with the reason", "[cli]") {
  MemoryFile err;
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full);
  StdioWriter stdio(full.get(), err.fd(), -1);
  RecordingView view(&stdio);
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  manager.send(output("r1", "x"));
  const RunEnd end = run_stream(client, script(false), -1, view, stdio);
  CHECK(end.exit_status == kExitUnavailable);
  REQUIRE(end.problem);
  CHECK(end.problem->message.find("No space") != std::string::npos);
}

TEST_CASE("a refused cancel is not the end of the run", "[cli]") {
  Fixture f;
  auto [client, manager] = make_connection();
  manager.send(Accepted{.re = 1, .run_id = "r1"});
  manager.send(ErrorReply{.re = 2, .code = "conflict", .message = "it has ended"});
  manager.send(finished("r1", 0));
  CHECK(run_stream(client, script(false), -1, f.view, f.stdio).exit_status == 0);
}

}  // namespace capsule::cli

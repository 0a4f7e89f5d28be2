// Where control groups are found, and what is written into them: against directories of the test's own.
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "manager/cgroup/detect.h"
#include "manager/cgroup/group_claim.h"
#include "manager/cgroup/group_proof.h"

using namespace capsule;
namespace fs = std::filesystem;

namespace {

constexpr const char* kV1Mounts =
    "24 18 0:22 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
    "26 24 0:24 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory\n"
    "27 24 0:25 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "28 24 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "29 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "capsule-cgroup-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Directory() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }
  std::string read(const std::string& name) const {
    std::ifstream file(path_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("groups are found by controller and own path", "[cgroup]") {
  const auto places = find_cgroups(kV1Mounts, "4:memory:/service/a\n2:cpu,cpuacct:/\n8:pids:/user\n0::/\n");
  CHECK(places.v1.at("memory") == "/sys/fs/cgroup/memory/service/a");
  CHECK(places.v1.at("cpuacct") == "/sys/fs/cgroup/cpu,cpuacct");
  CHECK(places.v1.at("pids") == "/sys/fs/cgroup/pids/user");
  CHECK(places.v2 == "/sys/fs/cgroup/unified");
}

TEST_CASE("a mount that shows a part of the hierarchy only is taken as that part", "[cgroup]") {
  const char* mounts = "30 24 0:30 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  CHECK(find_cgroups(mounts, "0::/docker/x/inner\n").v2 == "/sys/fs/cgroup/inner");
  CHECK(find_cgroups(mounts, "0::/docker/x\n").v2 == "/sys/fs/cgroup");
  CHECK(find_cgroups(mounts, "0::/../elsewhere\n").v2 == "/sys/fs/cgroup");
}

TEST_CASE("nonsense in the texts finds nothing", "[cgroup]") {
  const auto places = find_cgroups("x\n- - - - -\n1 2 3 / /p rw - cgroup\n", "::\nmemory\n1:\n");
  CHECK(places.v1.empty());
  CHECK(places.v2.empty());
}

TEST_CASE("version 2 hands its controllers on and bounds a capsule", "[cgroup]") {
  const Directory top;
  top.write("cgroup.controllers", "cpu io memory pids\n");
  for (const char* name : {"cgroup.procs", "cgroup.subtree_control"}) top.write(name, "");
  const CgroupRoot root = detect_cgroups({{}, top.path()}, CgroupMode::kAuto, "7");
  CHECK(root.version == CgroupVersion::kV2);
  CHECK(root.bounds_everything());
  CHECK(top.read("cgroup.subtree_control") == "+memory +pids +cpu");

  const std::string group = "capsule-7/one/";
  fs::create_directories(top / group);
  for (const char* name : {"memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cgroup.procs"}) {
    top.write(group + name, "");
  }
  top.write(group + "cpu.stat", "usage_usec 1234\nuser_usec 1000\n");
  top.write(group + "memory.current", "4096\n");
  top.write(group + "memory.peak", "8192\n");
  top.write(group + "memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n");
  auto made = CapsuleCgroup::make(root, "one", {1 << 20, 64});
  REQUIRE(made);
  CHECK(made->bounds_memory());
  CHECK(made->bounds_tasks());
  CHECK(made->place(4711));
  CHECK(top.read(group + "cgroup.procs") == "4711");
  const auto doors = made->doors();
  REQUIRE(doors);
  REQUIRE(doors->size() == 1);
  REQUIRE(write(doors->front().get(), "0", 1) == 1);
  CHECK(top.read(group + "cgroup.procs").starts_with("0"));
  CHECK(top.read(group + "memory.max") == "1048576");
  CHECK(top.read(group + "memory.swap.max") == "0");
  CHECK(top.read(group + "memory.oom.group") == "0");
  CHECK(top.read(group + "pids.max") == "64");
  CHECK(made->set_task_limit(9));
  CHECK(top.read(group + "pids.max").starts_with("9"));
  CHECK(made->refused_tasks() == 0);
  top.write(group + "pids.events", "max 4\n");
  CHECK(made->refused_tasks() == 4);
  const CgroupReadings readings = made->read();
  CHECK(readings.cpu_us == 1234);
  CHECK(readings.memory_bytes == 4096);
  CHECK(readings.peak_bytes == 8192);
  CHECK(readings.oom_kills == 2);
}

TEST_CASE("version 2 without its memory controller gives way to version 1 that has it", "[cgroup]") {
  const Directory second, memory, pids, cpu;
  second.write("cgroup.controllers", "hugetlb\n");
  for (const char* name : {"cgroup.procs", "cgroup.subtree_control"}) second.write(name, "");
  const CgroupPlaces places{{{"memory", memory.path()}, {"pids", pids.path()}, {"cpuacct", cpu.path()}}, second.path()};
  const CgroupRoot root = detect_cgroups(places, CgroupMode::kAuto, "7");
  CHECK(root.version == CgroupVersion::kV1);
  CHECK(root.detail == "v1 memory pids cpuacct");
  CHECK_FALSE(fs::exists(second / "capsule-7"));
  CHECK(detect_cgroups(places, CgroupMode::kV2, "7").version == CgroupVersion::kV2);
}

TEST_CASE("version 1 bounds a capsule in each hierarchy and counts there", "[cgroup]") {
  const Directory memory, pids, cpu;
  const CgroupPlaces places{{{"memory", memory.path()}, {"pids", pids.path()}, {"cpuacct", cpu.path()}}, ""};
  const CgroupRoot root = detect_cgroups(places, CgroupMode::kV1, "7");
  const std::string group = "capsule-7/one/";
  for (const Directory* top : {&memory, &pids, &cpu}) {
    fs::create_directories(*top / group);
    top->write(group + "cgroup.procs", "");
  }
  memory.write(group + "memory.limit_in_bytes", "");
  memory.write(group + "memory.memsw.limit_in_bytes", "");
  memory.write(group + "memory.usage_in_bytes", "100\n");
  memory.write(group + "memory.max_usage_in_bytes", "200\n");
  memory.write(group + "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  pids.write(group + "pids.max", "");
  cpu.write(group + "cpuacct.usage", "5000000\n");
  for (const Directory* controller : {&memory, &pids, &cpu}) controller->write(group + "tasks", "");
  auto made = CapsuleCgroup::make(root, "one", {1 << 20, 64});
  REQUIRE(made);
  const auto doors = made->doors();
  REQUIRE(doors);
  for (const UniqueFd& door : *doors) REQUIRE(write(door.get(), "0", 1) == 1);
  for (const Directory* controller : {&memory, &pids, &cpu}) CHECK(controller->read(group + "tasks") == "0");
  CHECK(memory.read(group + "memory.limit_in_bytes") == "1048576");
  CHECK(memory.read(group + "memory.memsw.limit_in_bytes") == "1048576");
  CHECK(pids.read(group + "pids.max") == "64");
  CHECK(made->set_task_limit(9));
  CHECK(pids.read(group + "pids.max").starts_with("9"));
  CHECK(layer_of(root).detail.find("bounded") == std::string::npos);
  const CgroupReadings readings = made->read();
  CHECK(readings.cpu_us == 5000);
  CHECK(readings.memory_bytes == 100);
  CHECK(readings.oom_kills == 1);
}

TEST_CASE("groups can be turned off, and what cannot be had is said", "[cgroup]") {
  CHECK(detect_cgroups({}, CgroupMode::kOff, "7").detail == "turned off (sandbox.cgroup)");
  const CgroupRoot none = detect_cgroups({}, CgroupMode::kAuto, "7");
  CHECK(none.version == CgroupVersion::kNone);
  CHECK(none.detail.find("v2 is not mounted") != std::string::npos);
  CHECK(none.detail.find("v1") != std::string::npos);
  CHECK(layer_of(none).detail.find("is not bounded") != std::string::npos);
}

TEST_CASE("groups of dead managers are removed, those of live ones and of others stay", "[cgroup]") {
  const Directory top;
  for (const char* dead :
       {"capsule-10-1700000000000/one", "capsule-10-1700000000000/two", "supervisor-11-1700000000001"}) {
    fs::create_directories(top / dead);
  }
  for (const char* other : {"capsule-mine/one", "capsule-10", "user.slice/capsule-1-2"}) {
    fs::create_directories(top / other);
  }
  const auto alive = claim_group(top / "capsule-12-1700000000002");
  REQUIRE(alive);
  fs::create_directories(top / "capsule-12-1700000000002/one");
  CHECK(remove_dead_groups(top.path()));
  CHECK_FALSE(fs::exists(top / "capsule-10-1700000000000"));
  CHECK_FALSE(fs::exists(top / "supervisor-11-1700000000001"));
  for (const char* kept :
       {"capsule-12-1700000000002/one", "capsule-mine/one", "capsule-10", "user.slice/capsule-1-2"}) {
    CHECK(fs::exists(top / kept));
  }
}

TEST_CASE("a group that is still in use is told, and goes the next time", "[cgroup]") {
  const Directory top;
  fs::create_directories(top / "capsule-10-1/one/a-process-as-it-were");
  CHECK_FALSE(remove_dead_groups(top.path()));
  fs::remove(top / "capsule-10-1/one/a-process-as-it-were");
  CHECK(remove_dead_groups(top.path()));
  CHECK(fs::is_empty(top.path()));
}

TEST_CASE("a manager's groups are its own for as long as it lives", "[cgroup]") {
  const Directory top;
  const std::string dir = top / ("capsule-" + group_owner(10, 1700000000000));
  {
    const auto held = claim_group(dir);
    REQUIRE(held);
    CHECK(claim_group(dir).error().code == Errc::kConflict);
    CHECK(remove_dead_groups(top.path()));
    CHECK(fs::exists(dir));
  }
  CHECK(remove_dead_groups(top.path()));
  CHECK_FALSE(fs::exists(dir));
}

TEST_CASE("directories that look like control groups and bound nothing are not proved", "[cgroup]") {
  const Directory fake;
  fs::create_directory(fake / "proof");
  for (const char* file : {"cgroup.procs", "tasks", "pids.max", "memory.limit_in_bytes", "memory.usage_in_bytes"}) {
    fake.write(std::string("proof/") + file, "0\n");
  }
  CgroupRoot root;
  CHECK(prove_groups(root));  // nothing is claimed
  root.version = CgroupVersion::kV1;
  root.tasks = fake.path();
  const Status tasks = prove_groups(root);
  REQUIRE_FALSE(tasks);
  CHECK(tasks.error().message == "in a group of one process a second one could be made");
  root.tasks.clear();
  root.memory = fake.path();
  const Status memory = prove_groups(root);
  REQUIRE_FALSE(memory);
  CHECK(memory.error().message == "a group did not count memory that was filled in it");
}

// The sandbox of this machine, tried out: runs `capsule-worker --doctor` and keeps what it found. The worker program
// does the trying; here it is read and judged.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "manager/async/loop.h"
#include "manager/floor.h"

namespace capsule {

struct DoctorFindings {
  struct Row {
    std::string name, state, proof, reason, fix;
  };
  std::vector<Row> rows;
  uint64_t took_us = 0;

  std::vector<Layer> layers() const;  // detail: proof or reason
};

// Control groups are the manager's to make, and it may be another user than its workers: what it found out itself.
void add_cgroups(DoctorFindings& findings, const Layer& cgroup);

// kInvalid for anything but the worker's document.
Result<DoctorFindings> parse_findings(std::string_view json);
// {"v", "floor", "met", "missing", "best", "took_us", "layers"}: what `capsule doctor --json` prints.
std::string findings_document(const DoctorFindings& findings, Floor floor);

// Runs in the background for kDoctorPatience at most; `done` is called once, from the loop. Destroying it ends it.
class Doctor {
 public:
  using Done = std::function<void(Result<DoctorFindings>)>;
  Doctor(Loop& loop, const std::string& worker_program, unsigned user, Done done);
  ~Doctor();
  Doctor(const Doctor&) = delete;
  Doctor& operator=(const Doctor&) = delete;

 private:
  void read_some();
  void finish(Result<DoctorFindings> found);

  std::optional<FdWatch> output_;
  Timer patience_;
  pid_t pid_ = 0;
  std::string text_;
  Done done_;
};

// The same, waited for.
Result<DoctorFindings> run_doctor(const std::string& worker_program, unsigned user);

}  // namespace capsule

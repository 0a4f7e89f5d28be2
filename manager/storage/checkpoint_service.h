// Durable checkpoints, as clients ask for them: list, show, remove, hand out, take in. Everything that touches the disk
// happens on the storage thread; answers come on the loop. Owned by the manager.
//
// Limits: kImports files are taken in at a time, one for each connection; each answer of a `file_get` is one slice.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "manager/config.h"
#include "manager/schedule/run_queue.h"
#include "manager/storage/checkpoint_import.h"
#include "manager/storage/checkpoint_transfer.h"
#include "protocol/message.h"

namespace capsule {

class CheckpointService {
 public:
  static constexpr size_t kImports = 16;

  using Json = std::function<void(Result<std::string>)>;

  // `directory` is made when it is missing; empty: there is no place for checkpoints, and each request hears so.
  CheckpointService(Loop& loop, StorageThread& thread, const std::string& directory, const CheckpointsConfig& config);
  ~CheckpointService();

  void list(uid_t uid, Json answer);
  void show(uid_t uid, const std::string& name, Json answer);
  void remove(uid_t uid, const std::string& name, Json answer);
  // One slice, for an export. `version` in the answer differs when the checkpoint was replaced between two.
  void get(const FileGet& request, uid_t uid, std::function<void(Result<FileData>)> answer);
  // A piece of an import. It appears, or is refused, with the last one.
  void put(const CheckpointPut& piece, ClientKey client, uid_t uid, std::function<void(Status)> answer);
  void client_gone(ClientKey client) { imports_.erase(client); }

  void open(uid_t uid, const std::string& name, std::function<void(Result<CheckpointStore::Opened>)> answer);
  // Of the pipe's content. kUnavailable when there is no store.
  Result<std::unique_ptr<CheckpointSave>> save(CheckpointTarget target, UniqueFd pipe, CheckpointSave::Compose compose,
                                               CheckpointSave::Done done);
  std::unique_ptr<CheckpointLoad> load(CheckpointStore::Opened opened, UniqueFd pipe, CheckpointLoad::Done done);
  const CheckpointsConfig& config() const { return config_; }

 private:
  struct Import;
  template <class Work, class Answer>
  void ask(Work work, Answer answer);
  void finish_import(const std::shared_ptr<Import>& import, std::function<void(Status)> answer);

  Loop& loop_;
  StorageThread& thread_;  // ends before this does: its jobs use what is below
  CheckpointsConfig config_;
  SharedStore store_;
  std::string problem_;  // why there is none
  std::map<ClientKey, std::shared_ptr<Import>> imports_;
};

}  // namespace capsule

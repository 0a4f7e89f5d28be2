// Files of clients: uploads that wait for a run or a session, files of sessions, and what runs wrote. Each request is
// answered at once with at most one chunk; nothing is read ahead, so there is no queue here. Only storing an upload
// takes several turns of the loop.
//
// Works on the loop's thread: a workspace is memory (tmpfs), and each call is bounded by the [files] knobs. Owned by
// the manager. Another user's sessions and another connection's runs do not exist.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "manager/async/loop.h"
#include "manager/config.h"
#include "manager/files/placing.h"
#include "manager/files/walk.h"
#include "manager/observe/metrics.h"
#include "manager/schedule/run.h"
#include "manager/sessions/session_registry.h"

namespace capsule {

class FileService {
 public:
  FileService(Loop& loop, FilesConfig config, SessionRegistry& sessions, Metrics& metrics);

  Status put(const FilePut& piece, ClientKey client);
  // `stored` is called later, unless the client or the session goes first.
  using Stored = std::function<void(Status)>;
  Status store(const FileStore& request, ClientKey client, uid_t uid, Stored stored);
  Result<FileListing> list(const FileList& request, ClientKey client, uid_t uid);
  Result<FileData> get(const FileGet& request, ClientKey client, uid_t uid);
  Status done(const FileDone& request, ClientKey client);
  void client_gone(ClientKey client);

  // For the dispatcher. An upload is used up by being taken.
  Result<std::shared_ptr<Upload>> take_upload(uint64_t id, ClientKey client);
  void keep(const RunId& run, ClientKey client, RunFiles files);

  void set_config(FilesConfig config) { config_ = config; }

 private:
  struct Kept {
    ClientKey client;
    RunFiles files;
    TimePoint last_used;
  };
  using UploadKey = std::pair<ClientKey, uint64_t>;

  Result<RunFiles> find(const std::string& run_id, const std::string& session, ClientKey client, uid_t uid);
  uint64_t uploaded_bytes();
  void forget_oldest();
  void expire();

  Loop& loop_;
  FilesConfig config_;
  SessionRegistry& sessions_;
  Metrics& metrics_;
  Timer timer_;
  std::map<UploadKey, std::shared_ptr<Upload>> uploads_;
  std::vector<std::weak_ptr<Upload>> taken_;  // by runs that wait for a worker: their bytes count until they are stored
  std::map<UploadKey, std::unique_ptr<Placing>> placings_;
  std::map<RunId, Kept> kept_;
};

}  // namespace capsule

#include "manager/storage/checkpoint_service.h"

#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/digest.h"
#include "base/json_shape.h"
#include "base/utf8.h"
#include "protocol/limits.h"

namespace capsule {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string version_text(const PythonVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor);
}

OrderedJson row_of(const CheckpointEntry& entry) {
  OrderedJson row = {
      {"name", entry.name}, {"file_bytes", entry.file_bytes}, {"written_at", format_utc(entry.written_ms)}};
  if (!entry.problem.empty()) {
    row["problem"] = entry.problem;
    return row;
  }
  row["python"] = version_text(entry.info.header.python);
  row["payload_bytes"] = entry.info.trailer.lengths.payload;
  row["stored_bytes"] = entry.info.trailer.lengths.stored;
  row["sha256"] = hex_text(entry.info.trailer.file_digest);
  return row;
}

std::string text_of(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace

struct CheckpointService::Import {
  std::string name;
  uint64_t offset = 0;
  std::optional<CheckpointImport> file;  // the storage thread's between submit and answer
};

CheckpointService::CheckpointService(Loop& loop, StorageThread& thread, const std::string& directory,
                                     const CheckpointsConfig& config)
    : loop_(loop), thread_(thread), config_(config) {
  if (directory.empty()) {
    problem_ = "there is no directory for durable checkpoints (server.state_dir)";
    return;
  }
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    problem_ = system_failure("make " + directory).value().message;
    return;
  }
  auto store = CheckpointStore::open(directory, {config.max_per_uid, config.quota_bytes, config.max_bytes});
  store ? void(store_ = std::move(*store)) : void(problem_ = store.error().message);
}

CheckpointService::~CheckpointService() = default;

template <class Work, class Answer>
void CheckpointService::ask(Work work, Answer answer) {
  if (!store_) return answer(failure(Errc::kUnavailable, problem_));
  auto shared = std::make_shared<Answer>(std::move(answer));
  const Status queued = thread_.submit([store = store_, work = std::move(work)] { return work(*store); },
                                       [shared](auto result) { (*shared)(std::move(result)); });
  if (!queued) (*shared)(tl::unexpected<Error>(queued.error()));
}

void CheckpointService::list(uid_t uid, Json answer) {
  ask([uid](CheckpointStore& store) { return store.list(uid); },
      [answer = std::move(answer)](Result<std::vector<CheckpointEntry>> entries) {
        if (!entries) return answer(tl::unexpected<Error>(entries.error()));
        OrderedJson rows = OrderedJson::array();
        for (const CheckpointEntry& entry : *entries) rows.push_back(row_of(entry));
        answer(text_of({{"v", 1}, {"checkpoints", std::move(rows)}}));
      });
}

// Megabytes of metadata are taken apart and put together on the storage thread: the loop has others to serve.
void CheckpointService::show(uid_t uid, const std::string& name, Json answer) {
  ask(
      [uid, name](CheckpointStore& store) -> Result<std::string> {
        const auto entry = store.show(uid, name);
        if (!entry) return tl::unexpected<Error>(entry.error());
        OrderedJson document = row_of(*entry);
        document["v"] = 1;
        OrderedJson metadata = parse_bounded<OrderedJson>(entry->info.metadata, kJsonValues);
        document["metadata"] = metadata.is_discarded() ? OrderedJson(nullptr) : std::move(metadata);
        return text_of(document);
      },
      std::move(answer));
}

void CheckpointService::remove(uid_t uid, const std::string& name, Json answer) {
  ask([uid, name](CheckpointStore& store) { return store.remove(uid, name); },
      [answer = std::move(answer), name](const Status& removed) {
        if (!removed) return answer(tl::unexpected<Error>(removed.error()));
        answer(text_of({{"v", 1}, {"checkpoint", name}, {"state", "removed"}}));
      });
}

void CheckpointService::open(uid_t uid, const std::string& name,
                             std::function<void(Result<CheckpointStore::Opened>)> answer) {
  ask([uid, name](CheckpointStore& store) { return store.open_checkpoint(uid, name); }, std::move(answer));
}

void CheckpointService::get(const FileGet& request, uid_t uid, std::function<void(Result<FileData>)> answer) {
  ask(
      [uid, request](CheckpointStore& store) -> Result<FileData> {
        const auto opened = store.open_checkpoint(uid, request.checkpoint);
        if (!opened) return tl::unexpected<Error>(opened.error());
        auto slice = read_stored(opened->file.get(), request.offset, opened->info.file_bytes);
        if (!slice) return tl::unexpected<Error>(slice.error());
        FileData data;
        data.re = request.id;
        data.bytes = opened->info.file_bytes;
        data.version = hex_text(opened->info.trailer.file_digest);
        data.data.value = std::move(*slice);
        return data;
      },
      std::move(answer));
}

void CheckpointService::put(const CheckpointPut& piece, ClientKey client, uid_t uid,
                            std::function<void(Status)> answer) {
  auto& import = imports_[client];
  if (piece.offset == 0) import = std::make_shared<Import>(Import{piece.name, 0, std::nullopt});
  if (!import || import->name != piece.name || import->offset != piece.offset) {
    imports_.erase(client);
    return answer(failure(Errc::kInvalid, "the pieces of a checkpoint come in order, from offset 0 on"));
  }
  if (imports_.size() > kImports) {
    imports_.erase(client);
    return answer(failure(Errc::kUnavailable, "too many checkpoints are being taken in"));
  }
  import->offset += piece.data.value.size();
  ask(
      [import = import, uid, piece](CheckpointStore& store) -> Status {
        if (!import->file) {
          auto begun = CheckpointImport::begin(store, uid, piece.name, IfThere::kRefuse);
          if (!begun) return tl::unexpected<Error>(begun.error());
          import->file = std::move(*begun);
        }
        return import->file->append(piece.data.value);
      },
      [this, import = import, client, last = piece.last, answer](const Status& taken) {
        if (!taken || last) imports_.erase(client);
        if (!taken || !last) return answer(taken);
        finish_import(import, answer);
      });
}

// One part of the check at a time, so that others get their turn.
void CheckpointService::finish_import(const std::shared_ptr<Import>& import, std::function<void(Status)> answer) {
  ask([import](CheckpointStore&) { return import->file->finish(); },
      [this, import, answer](const Result<std::optional<CheckpointEntry>>& checked) {
        if (!checked) return answer(tl::unexpected<Error>(checked.error()));
        if (*checked) return answer({});
        finish_import(import, answer);
      });
}

Result<std::unique_ptr<CheckpointSave>> CheckpointService::save(CheckpointTarget target, UniqueFd pipe,
                                                                CheckpointSave::Compose compose,
                                                                CheckpointSave::Done done) {
  if (!store_) return failure(Errc::kUnavailable, problem_);
  return std::make_unique<CheckpointSave>(loop_, thread_, store_, std::move(target), std::move(pipe),
                                          std::move(compose), std::move(done));
}

std::unique_ptr<CheckpointLoad> CheckpointService::load(CheckpointStore::Opened opened, UniqueFd pipe,
                                                        CheckpointLoad::Done done) {
  return std::make_unique<CheckpointLoad>(loop_, thread_, std::move(opened), std::move(pipe), std::move(done));
}

}  // namespace capsule

// Checkpoints for tests: written as the manager writes them, into a memory file or a store.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "manager/storage/checkpoint_reader.h"
#include "manager/storage/checkpoint_store.h"
#include "manager/storage/checkpoint_writer.h"

namespace capsule {

inline constexpr PythonVersion kPython{3, 11};

inline std::string random_bytes(size_t count, unsigned seed = 1) {
  std::mt19937 engine(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(engine());
  return bytes;
}

inline UniqueFd memory_file() { return UniqueFd(memfd_create("checkpoint", MFD_CLOEXEC)); }

// The writer gives its descriptor up; what it wrote is in `file`.
inline Status write_checkpoint(int file, const std::string& payload, const std::string& metadata,
                               uint64_t bytes_max = kCheckpointFileBytes) {
  auto writer = CheckpointWriter::create(UniqueFd(dup(file)), kPython, bytes_max);
  if (!writer) return tl::unexpected<Error>(writer.error());
  for (size_t at = 0; at < payload.size(); at += kStorageSliceBytes) {
    const auto appended = writer->append(std::string_view(payload).substr(at, kStorageSliceBytes));
    if (!appended) return appended;
  }
  return writer->finish(metadata);
}

// All of the payload, through every check there is; the error of the first that refuses.
inline Result<std::string> read_checkpoint(int file) {
  auto info = read_checkpoint_info(file);
  if (!info) return tl::unexpected<Error>(info.error());
  auto payload = CheckpointPayload::open(UniqueFd(dup(file)), std::move(*info));
  if (!payload) return tl::unexpected<Error>(payload.error());
  std::string all;
  while (true) {
    auto slice = payload->next();
    if (!slice) return slice;
    if (slice->empty()) return all;
    all += *slice;
  }
}

// As an import checks it: no decompression.
inline Status check_file(int file) {
  const auto info = read_checkpoint_info(file);
  if (!info) return tl::unexpected<Error>(info.error());
  CheckpointCheck check(file, *info);
  while (true) {
    const auto done = check.step(1000);
    if (!done) return tl::unexpected<Error>(done.error());
    if (*done) return {};
  }
}

inline Result<CheckpointEntry> save_in(CheckpointStore& store, uid_t uid, const std::string& name,
                                       const std::string& payload, IfThere if_there = IfThere::kRefuse) {
  auto begun = store.begin(uid, name, if_there);
  if (!begun) return tl::unexpected<Error>(begun.error());
  if (auto written = write_checkpoint(begun->file.get(), payload, "{}", begun->bytes_max); !written) {
    return tl::unexpected<Error>(written.error());
  }
  return store.commit(std::move(begun->draft));
}

inline std::string payload_in(const CheckpointStore& store, uid_t uid, const std::string& name) {
  const auto opened = store.open_checkpoint(uid, name);
  REQUIRE(opened);
  const auto payload = read_checkpoint(opened->file.get());
  REQUIRE(payload);
  return *payload;
}

}  // namespace capsule

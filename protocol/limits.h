// Every maximum of the wire, in one place. Both ends enforce them before they allocate.
#pragma once

#include <cstddef>
#include <cstdint>

namespace capsule::limits {

inline constexpr size_t kFrameHeaderBytes = 4;
inline constexpr size_t kFrameBytes = 16u << 20;  // payload of one frame
inline constexpr size_t kDepth = 8;               // nesting of arrays and maps in a frame
inline constexpr size_t kMapEntries = 256;        // entries of any map in a frame
inline constexpr size_t kArrayEntries = 4096;     // entries of any array in a frame
inline constexpr size_t kValues = 1u << 16;       // values of a frame, keys and nested ones counted
inline constexpr size_t kStringBytes = 1u << 20;  // one str
inline constexpr size_t kCodeBytes = 12u << 20;   // `code` of execute
inline constexpr size_t kIdBytes = 64;            // run, session and profile names: [a-z0-9-]{1,64}
inline constexpr size_t kFilenameBytes = 4096;
inline constexpr size_t kArguments = 1024;
inline constexpr uint64_t kDurationMs = 1ull << 36;        // any timeout: two years
inline constexpr size_t kOutputChunkBytes = 256u << 10;    // `data` of output
inline constexpr size_t kInputChunkBytes = 64u << 10;      // `data` of input
inline constexpr uint64_t kInputWindowBytes = 256u << 10;  // credit a client starts with
inline constexpr size_t kBundleBytes = 12u << 20;          // all of one MIME bundle
inline constexpr size_t kTracebackBytes = 256u << 10;
inline constexpr size_t kLastOutputBytes = 4096;       // `last_output` in evidence
inline constexpr size_t kStackBytes = 16u << 10;       // `stack` in evidence
inline constexpr size_t kRequired = 32;                // entries of `require`
inline constexpr size_t kSecrets = 64;                 // of one session
inline constexpr size_t kSecretBytes = 32u << 10;      // one value
inline constexpr size_t kPathBytes = 1024;             // path of a file in a workspace
inline constexpr size_t kPathDepth = 32;               // its parts
inline constexpr size_t kFileChunkBytes = 256u << 10;  // `data` of file_put and file_data
inline constexpr size_t kNoteBytes = 64u << 10;        // `notes` of a checkpoint
inline constexpr size_t kLostRuns = 64;                // run ids listed in `rollback` and `fallback`
inline constexpr size_t kNotCaptured = 64;             // entries of `not_captured`
inline constexpr size_t kRequestIdBytes = 128;         // `request_id`: printable ASCII without spaces
inline constexpr size_t kTraceparentBytes = 128;       // `traceparent`; version 00 has 55
inline constexpr size_t kMetricNameBytes = 64;         // `name` of metric, and the name of a label
inline constexpr size_t kMetricLabels = 4;             // `labels` of metric
inline constexpr size_t kMetricLabelBytes = 64;        // value of a label
inline constexpr size_t kRecordRows = 1000;            // runs in one answer to record `ls`
inline constexpr size_t kHelloBytes = 4096;            // a first frame larger than this is not a hello

}  // namespace capsule::limits

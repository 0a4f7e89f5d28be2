#include "protocol/codec.h"

#include <bit>
#include <cassert>
#include <limits>
#include <msgpack.hpp>

#include "base/utf8.h"
#include "protocol/fields.h"
#include "protocol/frame.h"
#include "protocol/peek.h"

namespace capsule {
namespace {

using fields::Need;

template <class T>
inline constexpr bool kIsNested =
    std::is_same_v<T, Layer> || std::is_same_v<T, Mount> || std::is_same_v<T, RaisedError> ||
    std::is_same_v<T, OutputCount> || std::is_same_v<T, Evidence> || std::is_same_v<T, Usage> ||
    std::is_same_v<T, SessionLimits> || std::is_same_v<T, FileEntry> || std::is_same_v<T, Rollback> ||
    std::is_same_v<T, Fallback>;

// ---- writing -------------------------------------------------------------------------------------------------

struct StringSink {
  std::string& out;
  void write(const char* data, size_t size) { out.append(data, size); }
};

// Fixed memory; what does not fit is a bug of ours, not an event.
struct SpanSink {
  std::span<char> out;
  size_t used = 0;
  void write(const char* data, size_t size) {
    assert(used + size <= out.size());
    std::copy_n(data, size, out.data() + used);
    used += size;
  }
};

template <class T>
bool is_default(const T& value) {
  return value == T{};
}
template <class T>
bool is_default(const std::optional<T>& value) {
  return !value;
}

template <class Sink>
class Writer {
 public:
  explicit Writer(Sink& sink) : packer_(sink) {}

  template <class T>
  void message(T& m) {
    packer_.pack_map(count(m) + 1);
    put(std::string_view("type"));
    put(T::kType);
    write_fields(m);
  }

  template <class T>
  void operator()(std::string_view name, T& value, Need need) {
    if (need == Need::kOptional && is_default(value)) return;
    put(name);
    put(value);
  }

  void bin_header(uint32_t size) { packer_.pack_bin(size); }
  void put(std::string_view text) {
    packer_.pack_str(static_cast<uint32_t>(text.size()));
    packer_.pack_str_body(text.data(), static_cast<uint32_t>(text.size()));
  }
  void map_header(uint32_t entries) { packer_.pack_map(entries); }

  template <class T>
  static uint32_t count(T& m) {
    uint32_t entries = 0;
    auto counter = [&entries](std::string_view, const auto& value, Need need) {
      if (need == Need::kRequired || !is_default(value)) ++entries;
    };
    fields::visit(counter, m);
    return entries;
  }

 private:
  template <class T>
  void write_fields(T& m) {
    fields::visit(*this, m);
  }
  void put(const std::string& text) { put(std::string_view(text)); }
  void put(const Bytes& bytes) {
    packer_.pack_bin(static_cast<uint32_t>(bytes.value.size()));
    packer_.pack_bin_body(bytes.value.data(), static_cast<uint32_t>(bytes.value.size()));
  }
  void put(Verdict verdict) { put(to_string(verdict)); }
  template <class T>
  requires std::is_arithmetic_v<T>
  void put(T number) { packer_.pack(number); }
  template <class T>
  void put(std::vector<T>& list) {
    packer_.pack_array(static_cast<uint32_t>(list.size()));
    for (auto& item : list) put(item);
  }
  template <class T>
  void put(std::map<std::string, T>& map) {
    packer_.pack_map(static_cast<uint32_t>(map.size()));
    for (auto& [key, value] : map) {
      put(std::string_view(key));
      put(value);
    }
  }
  template <class T>
  void put(std::optional<T>& value) {
    put(*value);
  }
  template <class T>
  requires kIsNested<T>
  void put(T& nested) {
    packer_.pack_map(count(nested));
    write_fields(nested);
  }

  msgpack::packer<Sink> packer_;
};

// ---- reading -------------------------------------------------------------------------------------------------

// Carries the first error; the path of fields makes it findable.
struct ReadError {
  std::string text;
  bool set(std::string what) {
    if (text.empty()) text = std::move(what);
    return false;
  }
};

class Reader {
 public:
  explicit Reader(ReadError& error) : error_(error) {}

  // `skip` leading entries were read by the caller.
  template <class T>
  bool fields_of(const msgpack::object& map, T& into, uint32_t skip) {
    if (map.type != msgpack::type::MAP) return error_.set("is not a map");
    uint64_t seen = 0;
    for (uint32_t i = skip; i < map.via.map.size; ++i) {
      const msgpack::object_kv& entry = map.via.map.ptr[i];
      if (entry.key.type != msgpack::type::STR) return error_.set("has a key that is not a string");
      const std::string_view key(entry.key.via.str.ptr, entry.key.via.str.size);
      if (!one_field(key, entry.val, into, seen)) return false;
    }
    return nothing_missing(into, seen);
  }

  bool get(const msgpack::object& o, bool& into) {
    if (o.type != msgpack::type::BOOLEAN) return error_.set("is not a boolean");
    into = o.via.boolean;
    return true;
  }
  template <class T>
  requires std::is_integral_v<T>
  bool get(const msgpack::object& o, T& into) {
    if (o.type == msgpack::type::POSITIVE_INTEGER) {
      if (o.via.u64 > static_cast<uint64_t>(std::numeric_limits<T>::max())) return error_.set("is out of range");
      into = static_cast<T>(o.via.u64);
      return true;
    }
    if (o.type != msgpack::type::NEGATIVE_INTEGER) return error_.set("is not an integer");
    if constexpr (std::is_unsigned_v<T>) {
      return error_.set("is negative");
    } else {
      if (o.via.i64 < static_cast<int64_t>(std::numeric_limits<T>::min())) return error_.set("is out of range");
      into = static_cast<T>(o.via.i64);
      return true;
    }
  }
  // msgpack-cxx writes a double that is a whole number as an integer, and so do other libraries.
  bool get(const msgpack::object& o, double& into) {
    if (o.type == msgpack::type::POSITIVE_INTEGER) {
      into = static_cast<double>(o.via.u64);
      return true;
    }
    if (o.type == msgpack::type::NEGATIVE_INTEGER) {
      into = static_cast<double>(o.via.i64);
      return true;
    }
    if (o.type != msgpack::type::FLOAT32 && o.type != msgpack::type::FLOAT64) return error_.set("is not a number");
    into = o.via.f64;
    if (!(into >= -1e300 && into <= 1e300)) return error_.set("is not a finite number");
    return true;
  }
  bool get(const msgpack::object& o, std::string& into) {
    if (o.type != msgpack::type::STR) return error_.set("is not a string");
    const std::string_view text(o.via.str.ptr, o.via.str.size);
    if (!is_valid_utf8(text)) return error_.set("is not valid UTF-8");
    into = text;
    return true;
  }
  bool get(const msgpack::object& o, Bytes& into) {
    if (o.type != msgpack::type::BIN) return error_.set("is not binary");
    into.value.assign(o.via.bin.ptr, o.via.bin.size);
    return true;
  }
  bool get(const msgpack::object& o, Verdict& into) {
    std::string word;
    if (!get(o, word)) return false;
    const auto verdict = verdict_from_string(word);
    if (!verdict) return error_.set("is not a verdict");
    into = *verdict;
    return true;
  }
  template <class T>
  bool get(const msgpack::object& o, std::vector<T>& into) {
    if (o.type != msgpack::type::ARRAY) return error_.set("is not an array");
    into.resize(o.via.array.size);
    for (uint32_t i = 0; i < o.via.array.size; ++i) {
      if (!get(o.via.array.ptr[i], into[i])) return false;
    }
    return true;
  }
  template <class T>
  bool get(const msgpack::object& o, std::map<std::string, T>& into) {
    if (o.type != msgpack::type::MAP) return error_.set("is not a map");
    for (uint32_t i = 0; i < o.via.map.size; ++i) {
      std::string key;
      if (!get(o.via.map.ptr[i].key, key)) return false;
      if (into.contains(key)) return error_.set("has the key '" + key + "' twice");
      if (!get(o.via.map.ptr[i].val, into[key])) return false;
    }
    return true;
  }
  template <class T>
  bool get(const msgpack::object& o, std::optional<T>& into) {
    return get(o, into.emplace());
  }
  template <class T>
  requires kIsNested<T>
  bool get(const msgpack::object& o, T& nested) { return fields_of(o, nested, 0); }

 private:
  template <class T>
  bool one_field(std::string_view key, const msgpack::object& value, T& into, uint64_t& seen) {
    bool known = false;
    bool good = true;
    int index = 0;
    auto match = [&](std::string_view name, auto& member, Need) {
      const uint64_t bit = 1ULL << index++;
      if (known || name != key) return;
      known = true;
      if (seen & bit) {
        good = error_.set("comes twice");
      } else {
        seen |= bit;
        good = get(value, member);
      }
    };
    fields::visit(match, into);
    if (!known) good = error_.set("is not a field of this message");
    if (!good) error_.text = "'" + replace_invalid_utf8(key.substr(0, limits::kIdBytes)) + "' " + error_.text;
    return good;
  }

  template <class T>
  bool nothing_missing(T& into, uint64_t seen) {
    std::string missing;
    int index = 0;
    auto check = [&](std::string_view name, auto&, Need need) {
      const uint64_t bit = 1ULL << index++;
      if (need == Need::kRequired && !(seen & bit) && missing.empty()) missing = name;
    };
    fields::visit(check, into);
    return missing.empty() || error_.set("'" + missing + "' is missing");
  }

  ReadError& error_;
};

// The msgpack-cxx context counts depth, and allocates count * sizeof(object) as soon as it reads a count.
msgpack::unpack_limit unpack_limits(size_t payload_bytes) {
  return msgpack::unpack_limit(std::min(limits::kArrayEntries, payload_bytes),
                               std::min(limits::kMapEntries, payload_bytes),
                               std::min(limits::kStringBytes, payload_bytes), payload_bytes, 0, limits::kDepth);
}

bool refer_to_buffer(msgpack::type::object_type, std::size_t, void*) { return true; }

std::string_view type_entry(const msgpack::object& map) {
  if (map.type != msgpack::type::MAP || map.via.map.size == 0) return {};
  const msgpack::object_kv& first = map.via.map.ptr[0];
  if (first.key.type != msgpack::type::STR || first.val.type != msgpack::type::STR) return {};
  if (std::string_view(first.key.via.str.ptr, first.key.via.str.size) != "type") return {};
  return {first.val.via.str.ptr, first.val.via.str.size};
}

template <size_t I = 0>
Result<Message> read_message(std::string_view type, const msgpack::object& map) {
  if constexpr (I == std::variant_size_v<Message>) {
    return failure(Errc::kInvalid,
                   "unknown message type '" + replace_invalid_utf8(type.substr(0, limits::kIdBytes)) + "'");
  } else {
    using T = std::variant_alternative_t<I, Message>;
    if (type != T::kType) return read_message<I + 1>(type, map);
    ReadError error;
    Message message(std::in_place_index<I>);
    if (!Reader(error).fields_of(map, std::get<I>(message), 1)) {
      return failure(Errc::kInvalid, std::string(T::kType) + ": " + error.text);
    }
    return message;
  }
}

tl::unexpected<Error> too_much() {
  return failure(Errc::kTooLarge, "more entries, bytes or nesting than a message may have");
}

Status check_size(std::string_view field, size_t size, size_t max) {
  if (size <= max) return {};
  return failure(Errc::kTooLarge, std::string(field) + " has " + std::to_string(size) + " bytes; at most " +
                                      std::to_string(max) + " are taken");
}

Status check_metric(const Metric& metric) {
  if (metric.labels.size() > limits::kMetricLabels) return failure(Errc::kTooLarge, "metric: too many labels");
  for (const auto& [name, value] : metric.labels) {
    if (Status fits = check_size("metric: a label", name.size(), limits::kMetricNameBytes); !fits) return fits;
    if (Status fits = check_size("metric: a label", value.size(), limits::kMetricLabelBytes); !fits) return fits;
  }
  return check_size("metric: name", metric.name.size(), limits::kMetricNameBytes);
}

constexpr size_t kOwnVariables = 1;  // TRACEPARENT, beside a session's secrets

Status check_limits(const Message& message) {
  if (const auto* m = std::get_if<Execute>(&message)) {
    if (m->arguments.size() > limits::kArguments) return failure(Errc::kTooLarge, "execute: too many arguments");
    if (m->require.size() > limits::kRequired) return failure(Errc::kTooLarge, "execute: too many required layers");
    if (m->environment.size() > limits::kSecrets + kOwnVariables)
      return failure(Errc::kTooLarge, "execute: too many variables");
    return check_size("execute: code", m->code.value.size(), limits::kCodeBytes)
        .and_then([&] { return check_size("execute: filename", m->filename.size(), limits::kFilenameBytes); })
        .and_then([&] { return check_size("execute: request_id", m->request_id.size(), limits::kRequestIdBytes); })
        .and_then([&] { return check_size("execute: traceparent", m->traceparent.size(), limits::kTraceparentBytes); });
  }
  if (const auto* m = std::get_if<SessionRequest>(&message)) {
    if (m->secrets.size() > limits::kSecrets) return failure(Errc::kTooLarge, "session: too many secrets");
    if (m->notes.size() > limits::kNoteBytes) return failure(Errc::kTooLarge, "session: the notes are too long");
    for (const auto& [name, value] : m->secrets) {
      if (value.size() > limits::kSecretBytes) return failure(Errc::kTooLarge, "session: a secret is too long");
    }
    return check_size("session: request_id", m->request_id.size(), limits::kRequestIdBytes);
  }
  if (const auto* m = std::get_if<Metric>(&message)) return check_metric(*m);
  if (const auto* m = std::get_if<Stack>(&message)) {
    return check_size("stack: text", m->text.value.size(), limits::kStackBytes);
  }
  if (const auto* m = std::get_if<FilePut>(&message)) {
    return check_size("file_put: path", m->path.value.size(), limits::kPathBytes).and_then([&] {
      return check_size("file_put: data", m->data.value.size(), limits::kFileChunkBytes);
    });
  }
  if (const auto* m = std::get_if<CheckpointPut>(&message)) {
    return check_size("checkpoint_put: data", m->data.value.size(), limits::kFileChunkBytes);
  }
  if (const auto* m = std::get_if<Input>(&message)) {
    return check_size("input: data", m->data.value.size(), limits::kInputChunkBytes);
  }
  return {};
}

}  // namespace

std::string_view type_of(const Message& message) {
  return std::visit([](const auto& m) { return m.kType; }, message);
}

Result<Message> decode(std::string_view payload) {
  switch (peek::shape(payload, limits::kValues)) {
    case peek::Shape::kFits: break;
    case peek::Shape::kTooManyValues: return too_much();
    case peek::Shape::kMalformed: return failure(Errc::kInvalid, "not valid msgpack");
  }
  try {
    size_t offset = 0;
    bool referenced = false;
    const msgpack::object_handle handle = msgpack::unpack(payload.data(), payload.size(), offset, referenced,
                                                          refer_to_buffer, nullptr, unpack_limits(payload.size()));
    if (offset != payload.size()) return failure(Errc::kInvalid, "bytes after the end of the message");
    const std::string_view type = type_entry(handle.get());
    if (type.empty()) return failure(Errc::kInvalid, "not a map whose first entry is 'type'");
    return read_message(type, handle.get()).and_then([](Message message) -> Result<Message> {
      if (auto fits = check_limits(message); !fits) return tl::unexpected<Error>(fits.error());
      return message;
    });
  } catch (const msgpack::size_overflow&) {
    return too_much();
  } catch (const msgpack::unpack_error&) {
    return failure(Errc::kInvalid, "not valid msgpack");
  }
}

std::string encode(const Message& message) {
  std::string payload;
  StringSink sink{payload};
  Writer<StringSink> writer(sink);
  std::visit([&](const auto& m) { writer.message(const_cast<std::remove_cvref_t<decltype(m)>&>(m)); }, message);
  return payload;
}

std::string encode_frame(const Message& message) { return make_frame(encode(message)); }

std::string encode_output_prefix(const Output& without_data, size_t data_bytes) {
  std::string bytes(limits::kFrameHeaderBytes, '\0');
  StringSink sink{bytes};
  Writer<StringSink> writer(sink);
  auto& m = const_cast<Output&>(without_data);
  assert(m.data.value.empty());
  writer.map_header(Writer<StringSink>::count(m) + 1);
  writer.put(std::string_view("type"));
  writer.put(Output::kType);
  writer("run_id", m.run_id, fields::kRequired);
  writer("stream", m.stream, fields::kRequired);
  writer("seq", m.seq, fields::kOptional);
  writer("offset", m.offset, fields::kOptional);
  writer("late", m.late, fields::kOptional);
  writer.put(std::string_view("data"));
  writer.bin_header(static_cast<uint32_t>(data_bytes));
  const auto header = frame_header(static_cast<uint32_t>(bytes.size() - limits::kFrameHeaderBytes + data_bytes));
  std::copy(header.begin(), header.end(), bytes.begin());
  return bytes;
}

namespace {
template <class T>
size_t encode_fixed_frame(T& message, std::span<char> into) {
  SpanSink sink{into, limits::kFrameHeaderBytes};
  Writer<SpanSink> writer(sink);
  writer.message(message);
  const auto header = frame_header(static_cast<uint32_t>(sink.used - limits::kFrameHeaderBytes));
  std::copy(header.begin(), header.end(), into.begin());
  return sink.used;
}
}  // namespace

size_t encode_heartbeat_frame(const Heartbeat& heartbeat, std::span<char> into) {
  return encode_fixed_frame(const_cast<Heartbeat&>(heartbeat), into);
}

size_t encode_stack_frame(std::string_view run_id, std::string_view text, std::span<char> into) {
  SpanSink sink{into, limits::kFrameHeaderBytes};
  Writer<SpanSink> writer(sink);
  writer.map_header(text.empty() ? 2 : 3);
  writer.put(std::string_view("type"));
  writer.put(Stack::kType);
  writer.put(std::string_view("run_id"));
  writer.put(run_id);
  if (!text.empty()) {
    writer.put(std::string_view("text"));
    writer.bin_header(static_cast<uint32_t>(text.size()));
    sink.write(text.data(), text.size());
  }
  const auto header = frame_header(static_cast<uint32_t>(sink.used - limits::kFrameHeaderBytes));
  std::copy(header.begin(), header.end(), into.begin());
  return sink.used;
}

size_t encode_ack_frame(uint64_t re, std::span<char> into) {
  Ack ack{re, {}};
  return encode_fixed_frame(ack, into);
}

}  // namespace capsule

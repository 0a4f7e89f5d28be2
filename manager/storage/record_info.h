// What is known of one run, as run-info.yaml, the index and `inspect` have it: built up from what the log says of it.
// Pure. For .cc files only: it brings the JSON library along.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "manager/storage/record_note.h"
#include "protocol/message.h"

namespace capsule {

using InfoJson = nlohmann::ordered_json;

struct RecordHost {
  std::string name;  // of the machine
  std::string directory;
};

InfoJson accepted_info(const Note& note, const RecordHost& host);
void add_execute(InfoJson& info, const Execute& execute);
void add_started(InfoJson& info, const Note& note);
void add_slow(InfoJson& info, const Note& note);
void add_slow_stack(InfoJson& info, const Stack& stack);
// Else of a run that its manager did not live to see the end of: nobody knows when that was, nor what was counted.
bool note_has_end(const Note& note);
void add_finished(InfoJson& info, const Note& note, const Finished& finished);

// The layers in it as a note has them, "seccomp=on root=off"; empty without any.
std::string layers_text_of(const InfoJson& info);

// A line of `ps --all`, with the fields of a run in `info`.
InfoJson row_of_info(const InfoJson& info);

// A bundle by type: text as text, JSON as JSON, all else in base64.
InfoJson result_json(const Display& display);
InfoJson result_json(const ResultValue& result);

std::string dump_json(const InfoJson& json);  // never throws: what is not UTF-8 is replaced

}  // namespace capsule

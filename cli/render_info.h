// The manager's JSON documents as text for people. Pure: JSON text in, text out; a document that is not what it should
// be is an error, a field that is missing shows as "-".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace capsule::cli {

enum class RunFilter { kActive, kAll };

Result<std::string> render_info(std::string_view json);                // the sections that are there, in order
Result<std::string> render_doctor(std::string_view json);              // `doctor`
Result<std::string> render_session_tree(std::string_view json);        // `session ls --tree`
std::string render_not_captured(std::string_view json);                // of the same: what a fork lacks, a line each
Result<std::string> render_forks(std::string_view json);               // `session fork`: ids, one a line
Result<std::string> render_sessions(std::string_view json);            // `session ls`
Result<std::string> render_checkpoints(std::string_view json);         // `session ls-checkpoints`
Result<std::string> render_saved(std::string_view json);               // `session checkpoint --durable`
Result<std::string> render_stored_checkpoints(std::string_view json);  // `checkpoints ls`
Result<std::string> checkpoint_problem(std::string_view json);         // of the next one's document; empty: none
Result<std::string> render_stored_checkpoint(std::string_view json);   // `checkpoints show`
Result<std::string> render_return(std::string_view json);              // `session undo`, `session restore`
Result<std::string> render_runs(std::string_view json, RunFilter filter);    // `ps`
Result<std::string> runs_document(std::string_view json, RunFilter filter);  // `ps --json`
Result<std::string> render_record(std::string_view json);                    // `inspect` of a run
Result<std::string> render_session(std::string_view json);                   // `inspect` of a session
Result<std::string> render_stack(std::string_view json);                     // `stacks`
Result<std::string> session_id_text(std::string_view json);                  // `session new`: the id and a newline
// Of the same: what its checkpoint had and it has not, a line each.
std::string render_not_restored(std::string_view json);

}  // namespace capsule::cli

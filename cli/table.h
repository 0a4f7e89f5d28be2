// Aligned columns of text for terminals. Pure.
#pragma once

#include <string>
#include <vector>

namespace capsule::cli {

inline constexpr size_t kCellBytes = 60;       // a longer cell is cut and ends in "..."
inline constexpr size_t kSentenceBytes = 300;  // for a last column of sentences

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  size_t max_bytes = kCellBytes;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  void add_row(std::vector<std::string> cells);  // one for each column, asserted
  bool empty() const { return rows_.empty(); }

  // Every line indented by `indent` spaces; no trailing blanks. Control characters are escaped.
  std::string text(size_t indent) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace capsule::cli

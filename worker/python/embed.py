"""Build step: turns .py files into a header of string literals, in the order given."""

import pathlib
import sys

LITERAL_BYTES = 8000  # compilers bound the length of one literal; adjacent ones are joined


def literal(source: str) -> str:
    pieces = [source[i : i + LITERAL_BYTES] for i in range(0, len(source), LITERAL_BYTES)] or [""]
    return "\n".join(f'R"CAPSULE_PY({piece})CAPSULE_PY"' for piece in pieces)


def main(output: str, sources: list[str]) -> None:
    lines = [
        "#pragma once",
        "namespace capsule::interpreter {",
        "struct EmbeddedModule { const char* name; const char* source; };",
        "inline constexpr EmbeddedModule kEmbeddedModules[] = {",
    ]
    for path in map(pathlib.Path, sources):
        lines.append(f'{{"{path.stem}", {literal(path.read_text("utf-8"))}}},')
    lines += ["};", "}  // namespace capsule::interpreter"]
    pathlib.Path(output).write_text("\n".join(lines) + "\n", "utf-8")


main(sys.argv[1], sys.argv[2:])

#!/usr/bin/env python3
"""A file has at most 500 lines, a C function at most 100."""
import re

import source

FILE_LINES = 500
FUNCTION_LINES = 100


def wants(path):
    return source.is_c(path) or path.endswith((".py", ".sh", ".cmake", "CMakeLists.txt")) or path == "dev"


def functions(code):
    """(name, first line, last line) of each function: the brace of a body stands alone in column 0."""
    lines = code.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 8):start - 1])
            names = re.findall(r"(\w+)\s*\(", head.rsplit(";", 1)[-1].rsplit("}", 1)[-1])
            names = [n for n in names if not n.startswith("__attribute")]
            yield (names[0] if names else "?"), start, number
            start = None


def check(path, text):
    count = text.count("\n")
    if count > FILE_LINES:
        yield count, f"{count} lines, at most {FILE_LINES}: split it by noun"
    if source.is_c(path):
        for name, first, last in functions(source.code_only(text)):
            if last - first + 1 > FUNCTION_LINES:
                yield first, f"{name}() has {last - first + 1} lines, at most {FUNCTION_LINES}"


if __name__ == "__main__":
    source.main()

#!/usr/bin/env python3
"""The checks themselves: each row is a text, and the lines in which a check must find something in it."""
import sys

import banned_calls
import forbidden_words
import header_comments
import include_direction
import lengths
import printing
import syntax

LONG = "int f(void)\n{\n" + "\tg();\n" * 99 + "}\n"
JUST = "int f(void)\n{\n" + "\tg();\n" * 98 + "}\n"
UNFINISHED = "TO" + "DO"

ROWS = [
    (banned_calls, "oci/x.c", "f();\nsprintf(a, b);\n", [2]),
    (banned_calls, "oci/x.c", "strcpy (a, b); atoi(c);\n", [1, 1]),
    (banned_calls, "oci/x.c", "/* sprintf(\n */ g(\"system(\");\n// alloca(\n", []),
    (banned_calls, "oci/x.c", "snprintf(a); my_system(b); strtok_r(c); vsnprintf(d);\n", []),
    (banned_calls, "oci/x.c", "char c = '\"'; strcat(a, b); char d = '\"';\n", [1]),
    (printing, "oci/x.c", "printf(\"a\");\nx = getenv(\"A\");\nexit(1);\nfputs(a, stderr);\n", [1, 2, 3, 4]),
    (printing, "oci/x.c", "snprintf(a);\n_exit(1);\nint f() __attribute__((format(printf, 1, 2)));\n", []),
    (printing, "oci/x.c", "o->stdout = fd; int stdout;\n", []),
    (lengths, "oci/x.c", LONG, [2]),
    (lengths, "oci/x.c", JUST, []),
    (lengths, "oci/x.c", "x\n" * 500, []),
    (lengths, "oci/x.c", "x\n" * 501, [501]),
    (lengths, "oci/x.c", "struct s {\n" + "\tint a;\n" * 200 + "};\n", []),
    (header_comments, "oci/x.h", "/* A thing. */\n#pragma once\n", []),
    (header_comments, "oci/x.h", "#pragma once\n/* A thing. */\n", [1]),
    (header_comments, "oci/x.h", "/* A thing. */\n", [1]),
    (forbidden_words, "oci/x.c", "a\n/* " + UNFINISHED + ": b */\n", [2]),
    (forbidden_words, "oci/x.c", "/* " + UNFINISHED + "S */\n", []),
    (include_direction, "oci/x.c", '#include "oci/x.h"\n#include "base/fs.h"\n#include "net/http.h"\n', [3]),
    (include_direction, "base/x.c", '#include "x.h"\n#include "oci/store.h"\n', [1, 2]),
    (include_direction, "builder/x.c", '#include "registry/push.h"\n', [1]),
    (include_direction, "registry/x.c", '#  include <curl/curl.h>\n', [1]),
    (include_direction, "net/http.c", "#include <curl/curl.h>\n", []),
    (include_direction, "oci/store.c", "#include <zlib.h>\n#include <archive.h>\n/* #include <zlib.h> */\n", [1, 2]),
    (include_direction, "oci/layer_reader.c", "#include <archive_entry.h>\n", []),
    (include_direction, "sandbox/run.c", "#include <seccomp.h>\n", [1]),
    (include_direction, "tests/unit/base/test_x.c", '#include "cli/app.h"\n', [1]),
    (include_direction, "cli/x.c", '#include "registry/push.h"\n', []),
    (syntax, "tests/x.py", "x = (\n", [1]),
    (syntax, "tests/x.py", "x = 1\n", []),
]


def main():
    failed = 0
    for number, (module, path, text, expected) in enumerate(ROWS, 1):
        found = sorted(line for line, _ in module.check(path, text)) if module.wants(path) else []
        if found != expected:
            print(f"tests/lint/selftest.py:1: row {number}: {module.__name__} found {found} in {text!r},"
                  f" expected {expected}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Only cli/ prints, exits and reads the environment; slipway-init (sandbox/init*.c) is a program of its own."""
import re

import source

RULES = [
    (r"\b(?:printf|vprintf|puts|putchar|perror|psignal)\s*\(", "prints"),
    (r"\b(?:stdout|stderr)\b", "uses a standard stream"),
    (r"\b(?:exit|quick_exit)\s*\(", "ends the program"),
    (r"\b(?:getenv|secure_getenv|setenv|putenv|unsetenv|clearenv)\s*\(", "reads or changes the environment"),
    (r"\bextern\s+char\s*\*\*\s*environ\b", "reads the environment"),
]
# Programs are found in PATH, as execvp does it.
ALLOWED = {("base/process.c", "reads or changes the environment")}
# Members and parameters that are called stdout or stderr are nobody's stream.
NAME_OF_OURS = re.compile(r"(?:\.|->|\b(?:int|bool|fd|strbuf|sink)\s+\**)\s*$")


def wants(path):
    return (source.in_program(path) and not path.startswith("cli/")
            and not re.match(r"sandbox/init(_\w+)?\.[ch]$", path))


def check(path, text):
    code = source.code_only(text)
    for pattern, does in RULES:
        if (path, does) in ALLOWED:
            continue
        for match in re.finditer(pattern, code):
            before = code[:match.start()]
            if NAME_OF_OURS.search(before[-40:]):
                continue
            yield source.line_of(code, match.start()), \
                f"{match.group().strip(' (')} {does}: that is for cli/ (return an error, report through an interface)"


if __name__ == "__main__":
    source.main()

#!/usr/bin/env python3
"""Calls that have no bounds, split words in place, hide errors or go through a shell."""
import re

import source

INSTEAD = {
    "sprintf": "snprintf or strbuf", "vsprintf": "vsnprintf or strbuf", "strcpy": "strbuf or memcpy",
    "strcat": "strbuf", "strncpy": "memcpy with a checked length", "strtok": "strcspn and views",
    "atoi": "a strict number parser", "system": "process_spawn", "popen": "process_capture",
    "alloca": "xmalloc", "gets": "fgets", "tmpnam": "mkstemp", "mktemp": "mkstemp",
}
CALL = re.compile(r"\b(%s)\s*\(" % "|".join(INSTEAD))


def wants(path):
    return source.is_c(path)


def check(path, text):
    code = source.code_only(text)
    for match in CALL.finditer(code):
        name = match.group(1)
        if name == "popen" and path.startswith("tests/"):
            continue
        yield source.line_of(code, match.start()), f"{name}() is banned: use {INSTEAD[name]}"


if __name__ == "__main__":
    source.main()

#!/usr/bin/env python3
"""Each header begins with a comment that says what it is, then #pragma once."""
import source


def wants(path):
    return path.endswith(".h")


def check(path, text):
    if not text.startswith("/*"):
        yield 1, "a header begins with a comment that teaches its use"
    if "#pragma once" not in text:
        yield 1, "#pragma once is missing"


if __name__ == "__main__":
    source.main()

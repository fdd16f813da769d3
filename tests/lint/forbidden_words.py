#!/usr/bin/env python3
"""Marks of unfinished work, and the path of this checkout, do not belong in a committed file."""
import re

import source

# Put together from halves, so that this file passes its own check.
MARKS = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "not " + "implemented", "for " + "now"]
WORD = re.compile(r"\b(%s)\b" % "|".join(MARKS))


def wants(path):
    return path != "LICENSE" and not path.startswith("tests/fuzz/corpus/")


def check(path, text):
    if "\0" in text:
        return
    for number, line in enumerate(text.split("\n"), 1):
        match = WORD.search(line)
        if match:
            yield number, f'"{match.group()}": finish it, or refuse the case by name'
        if re.search(re.escape(source.TOP) + r"(?![\w.-])", line) and len(source.TOP) > len("/home/x"):
            yield number, f'"{source.TOP}" is a path of this machine'


if __name__ == "__main__":
    source.main()

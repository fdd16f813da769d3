"""What the checks share: the project's files, C text without comments and strings, and the report.

A check is a module with wants(path) and check(path, text), which yields (line, message). Paths are relative to
the top of the project. Called as a program with paths it checks those, without it checks them all; it prints
FILE:LINE: MESSAGE and exits with 1 when there is something to say.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM_FOLDERS = ("base", "net", "dockerfile", "oci", "sandbox", "builder", "registry", "cli")


def project_files():
    """Tracked files and new ones that git would not ignore, sorted; without git, all but build folders."""
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={TOP}", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=TOP, capture_output=True, check=False)
    if listing.returncode == 0:
        found = {os.fsdecode(p) for p in listing.stdout.split(b"\0") if p}
    else:
        found = set()
        for folder, folders, names in os.walk(TOP):
            folders[:] = [f for f in folders if f not in ("build", ".dev", ".git", "__pycache__")]
            found.update(os.path.relpath(os.path.join(folder, n), TOP) for n in names)
    return sorted(p for p in found if os.path.isfile(os.path.join(TOP, p)))


def is_c(path):
    return path.endswith((".c", ".h"))


def in_program(path):
    """A C file of the program itself, not of its tests."""
    return is_c(path) and path.split("/", 1)[0] in PROGRAM_FOLDERS


def is_shell(path, text):
    return path.endswith(".sh") or text.startswith(("#!/bin/sh", "#!/usr/bin/env bash", "#!/bin/bash"))


TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def code_only(text):
    """C text whose comments and literals are blanked: lines and columns stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return TOKEN.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def run(module, arguments):
    """The main program of a check module."""
    failed = False
    for path in arguments or project_files():
        if not module.wants(path):
            continue
        for line, message in module.check(path, read(path)):
            print(f"{path}:{line}: {message}")
            failed = True
    return 1 if failed else 0


def main():
    sys.exit(run(sys.modules["__main__"], sys.argv[1:]))

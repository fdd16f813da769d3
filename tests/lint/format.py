#!/usr/bin/env python3
"""C files are as clang-format leaves them (.clang-format)."""
import os
import subprocess
import sys

import source


def main():
    paths = sys.argv[1:] or [p for p in source.project_files() if source.is_c(p)]
    if not paths:
        return 0
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", *paths],
                          cwd=source.TOP, capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines():
        if ": error:" in line:
            print(line.replace("error: code should be clang-formatted [-Wclang-format-violations]",
                               f"run clang-format -i {os.path.basename(line.split(':')[0])}"))
    if done.returncode and not done.stderr.strip():
        print(f"clang-format:1: exit code {done.returncode}")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())

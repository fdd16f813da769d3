#!/usr/bin/env python3
"""Scripts that at least parse: Python by its own compiler, shell by bash -n."""
import ast
import os
import subprocess

import source


def wants(path):
    return path.endswith((".py", ".sh")) or path in ("dev", ".ci/run")


def check(path, text):
    if path.endswith(".py"):
        try:
            ast.parse(text)
        except SyntaxError as e:
            yield e.lineno or 1, e.msg
    elif source.is_shell(path, text):
        done = subprocess.run(["bash", "-n", os.path.join(source.TOP, path)],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            yield 1, done.stderr.strip()


if __name__ == "__main__":
    source.main()

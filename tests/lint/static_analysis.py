#!/usr/bin/env python3
"""cppcheck over the program's C files; with --tidy clang-tidy (.clang-tidy) over what build/clang compiles."""
import concurrent.futures
import os
import subprocess
import sys

import source

CPPCHECK = [
    "cppcheck", "--enable=warning,portability", "--error-exitcode=1", "--inline-suppr", "--quiet",
    "--std=c11", "--language=c", "--platform=unix64", "--max-configs=1", "--suppress=missingIncludeSystem",
    "--suppress=unknownMacro", "--suppress=internalAstError", "--template={file}:{line}: {id}: {message}",
    # "p ? p : out_of_memory()" looks like a leak to it, which inline comments would only repeat.
    "--suppress=memleak:base/alloc.c", "-D_GNU_SOURCE",
    # It does not know the keyword of C11.
    "-D_Noreturn=__attribute__((noreturn))", '-DSLIPWAY_VERSION="x"', "-I.",
]


def cppcheck():
    paths = [p for p in source.project_files() if source.in_program(p) and p.endswith(".c")]
    if not paths:
        return 0
    cache = os.path.join(source.TOP, ".dev", "cppcheck")
    os.makedirs(cache, exist_ok=True)
    done = subprocess.run([*CPPCHECK, f"--cppcheck-build-dir={cache}", f"-j{os.cpu_count()}", *paths],
                          cwd=source.TOP, capture_output=True, text=True, check=False)
    print((done.stdout + done.stderr).strip() or "", end="\n" if done.returncode else "")
    return done.returncode


def clang_tidy():
    build = os.path.join(source.TOP, "build", "clang")
    if not os.path.exists(os.path.join(build, "compile_commands.json")):
        print("build/clang/compile_commands.json:1: missing: ./dev lint --full makes it")
        return 1
    paths = [p for p in source.project_files() if source.in_program(p) and p.endswith(".c")]

    def one(path):
        return subprocess.run(["clang-tidy", "--quiet", "-p", build, path], cwd=source.TOP,
                              capture_output=True, text=True, check=False)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(one, paths):
            if done.returncode:
                failed = 1
                print(done.stdout.replace(source.TOP + "/", "").strip() or done.stderr.strip())
    return failed


if __name__ == "__main__":
    sys.exit(clang_tidy() if "--tidy" in sys.argv[1:] else cppcheck())

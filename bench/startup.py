#!/usr/bin/env python3
"""Times starts, from exec to exit, of the static program and of the ordinary one side by side: "version", which does nothing else.

The least of many counts: what a start takes when nobody else is at the machine. "empty" is a static program whose main returns
at once, so what the system itself takes."""
import argparse
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[1]


def start(program, words):
    silent = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    begin = time.perf_counter()
    child = os.posix_spawn(program, [str(program), *words], {}, file_actions=silent)
    os.waitpid(child, 0)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--static", type=pathlib.Path, default=TOP / f"build/dist/slipway-linux-{platform.machine()}")
    parser.add_argument("--dynamic", type=pathlib.Path, default=TOP / "build/slipway")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty = pathlib.Path(folder) / "empty"
        subprocess.run(["gcc", "-static", "-O2", "-x", "c", "-", "-o", empty], input=b"int main(void) { return 0; }\n", check=True)
        programs = {"empty": (empty, []), "static": (options.static, ["version"]), "dynamic": (options.dynamic, ["version"])}
        taken = {name: [] for name in programs}
        for _ in range(options.rounds):
            for name, (program, words) in programs.items():
                taken[name].append(start(program, words))
    least = {name: min(seconds) for name, seconds in taken.items()}
    for name, seconds in taken.items():
        median = sorted(seconds)[len(seconds) // 2]
        print(f"{name:8} min {least[name] * 1000:6.2f} ms   median {median * 1000:6.2f} ms")
    print(f"static starts in 1/{least['dynamic'] / least['static']:.1f} of the dynamic program's time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
